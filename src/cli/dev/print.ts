import { statSync } from 'node:fs';

/** Differs when the file was written, replaced, made or removed. */
export function printOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino}/${stat.size}/${stat.mtimeMs}`;
}
