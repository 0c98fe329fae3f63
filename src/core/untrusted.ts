/**
 * Reads values of any kind, which a handler may throw, log or report: proxies, getters that throw, circular, deep or very
 * large objects. No function of this file throws, and each does a bounded amount of work.
 */
import { clipBytes, clipChars } from './clip.ts';
import { plainCopy } from './foreign/plain-copy.ts';
import { isInstance, readProperty } from './foreign/probe.ts';
import { limits } from './limits.ts';

export { isInstance, readProperty } from './foreign/probe.ts';

/** The message and the name of an error, within the limits of a stored error. */
export interface ErrorText {
  readonly message: string;
  readonly name: string;
}

/** Returns the message and the name of an error, whose properties may hold anything. An empty message becomes the name. */
export function errorText(error: Error): ErrorText {
  const givenName = readProperty(error, 'name');
  const name =
    typeof givenName === 'string' && givenName !== '' ? clipChars(givenName, limits.errorTypeChars) : 'Error';
  const message = readProperty(error, 'message');
  if (message === undefined) return { message: `${name} (its message cannot be read)`, name };
  return { message: message === '' ? name : textOf(message), name };
}

/** Returns the message of a thrown value; if it is no error, the value as text. */
export function messageOf(thrown: unknown): string {
  return isInstance(thrown, Error) ? errorText(thrown).message : textOf(thrown);
}

/** Returns a value as text of at most `maxBytes`: a string as it is, anything else as JSON where JSON can carry it. */
export function textOf(value: unknown, maxBytes: number = limits.messageBytes): string {
  if (typeof value === 'string') return clipBytes(value, maxBytes);
  const plain = plainCopy(value, maxBytes);
  return clipBytes(
    typeof plain === 'object' && plain !== null ? JSON.stringify(plain) : `${plain}`,
    maxBytes,
  );
}
