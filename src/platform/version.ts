import { readFileSync } from 'node:fs';

/** The package's own version; beside dist as beside src. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
