import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../core/errors.ts';
import type { ClientTls } from './grpc/tls.ts';

/** What `holdfast dev` writes, so that programs beside it find the server. */
export interface Profile {
  readonly url: string;
  readonly tls: ClientTls;
}

export const profileFile = '.holdfast/profile.json';

/** Looked for in this folder and those above it. @throws HoldfastError BAD_CONFIGURATION where it cannot be read. */
export function findProfile(from: string): Profile | undefined {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    const file = join(dir, profileFile);
    if (existsSync(file)) return readProfile(file);
    if (dirname(dir) === dir) return undefined;
  }
}

/** Paths in it are relative to it. */
function readProfile(file: string): Profile {
  try {
    const { url, ca, cert, key } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const text = (name: string, value: unknown): string => {
      if (typeof value === 'string' && value !== '') return value;
      throw new TypeError(`'${name}' is missing in it`);
    };
    const at = (name: string, path: unknown): string => resolve(dirname(file), text(name, path));
    return { url: text('url', url), tls: { ca: at('ca', ca), cert: at('cert', cert), key: at('key', key) } };
  } catch (cause) {
    const told = `The profile ${file} cannot be used: ${(cause as Error).message}.`;
    throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', told, {
      cause,
      help: 'Delete it and run `npx holdfast dev` again.',
    });
  }
}
