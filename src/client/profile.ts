import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../core/errors.ts';
import type { ClientTls } from './grpc/tls.ts';

/** The connection settings that `holdfast dev` writes into a file, from which programs in the same folder read them. */
export interface Profile {
  readonly url: string;
  readonly tls: ClientTls;
}

/** The path of the profile, relative to the project folder. */
export const profileFile = '.holdfast/profile.json';

/**
 * Reads the profile of the folder `from`, otherwise of the nearest folder above that has one. Returns undefined if no
 * folder has a profile.
 * @throws HoldfastError BAD_CONFIGURATION if the profile cannot be read.
 */
export function findProfile(from: string): Profile | undefined {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    const file = join(dir, profileFile);
    if (existsSync(file)) return readProfile(file);
    if (dirname(dir) === dir) return undefined;
  }
}

/** Reads a profile. Relative paths in it are resolved against the folder of the profile. */
function readProfile(file: string): Profile {
  try {
    const { url, ca, cert, key } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const text = (name: string, value: unknown): string => {
      if (typeof value === 'string' && value !== '') return value;
      throw new TypeError(`'${name}' is missing`);
    };
    const at = (name: string, path: unknown): string => resolve(dirname(file), text(name, path));
    return { url: text('url', url), tls: { ca: at('ca', ca), cert: at('cert', cert), key: at('key', key) } };
  } catch (cause) {
    const message = `The profile ${file} cannot be used: ${(cause as Error).message}.`;
    throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, {
      cause,
      help: 'Delete the profile and run `npx holdfast dev` again.',
    });
  }
}
