import { readFileSync } from 'node:fs';

/** Returns the version of this package. The path to package.json is the same from src/ and from dist/. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
