import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { CertificateFiles } from '../certs/load.ts';
import { HoldfastError } from '../core/errors.ts';

/** What `holdfast dev` writes, so that commands beside it find the server. Paths are relative to the file. */
const schema = z.object({
  url: z.string(),
  httpUrl: z.string().optional(),
  ca: z.string(),
  cert: z.string(),
  key: z.string(),
});

export interface Profile {
  readonly url: string;
  readonly tls: CertificateFiles;
}

export const profileFile = '.holdfast/profile.json';

/** Looked for in this folder and those above it. */
export function findProfile(from: string): Profile | undefined {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    const file = join(dir, profileFile);
    if (existsSync(file)) return readProfile(file);
    if (dirname(dir) === dir) return undefined;
  }
}

function readProfile(file: string): Profile {
  try {
    const { url, ca, cert, key } = schema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const at = (path: string): string => resolve(dirname(file), path);
    return { url, tls: { ca: at(ca), cert: at(cert), key: at(key) } };
  } catch (cause) {
    throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `The profile ${file} cannot be used.`, {
      cause,
      help: 'Delete it and run `holdfast dev` again.',
    });
  }
}
