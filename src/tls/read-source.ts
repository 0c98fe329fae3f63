import { readFileSync } from 'node:fs';

const prefix = 'env:';

/**
 * Reads a file, or the environment variable that `env:NAME` names, for containers that get secrets as variables.
 *
 * @throws an error with the code ENOENT if the file or the variable does not exist, and those of reading a file.
 */
export function readSource(source: string): Buffer {
  if (!source.startsWith(prefix)) return readFileSync(source);
  const value = process.env[source.slice(prefix.length)];
  if (value) return Buffer.from(value);
  throw Object.assign(new Error(`the environment variable of '${source}' is not set`), { code: 'ENOENT' });
}
