/** Converts values to JSON bytes and back. An error names the path of the value that JSON cannot carry. */
import type { Payload } from '../../core/codec/payload.ts';
import { HoldfastError } from '../../core/errors.ts';
import { isInstance, messageOf } from '../../core/untrusted.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const noBytes = new Uint8Array(0);
const jsonType = 'application/json';

interface UnsendableValue {
  readonly path: string;
  readonly what: string;
}

/**
 * The search for a value that JSON cannot carry. It ends early when the strings alone would make the JSON much larger than
 * it may be, so that a very large value, or a small one that holds the same part many times, is not encoded in vain.
 */
interface Search {
  /** The objects that contain the current value, to detect a circular reference. */
  readonly above: object[];
  /** The number of characters that may still be found. */
  charsLeft: number;
}

/** Thrown by a search that has found too many characters. */
class TooManyChars extends Error {}

/** A value is encoded to count its bytes, for the error message, if it is at most this many times too large. */
const countedTimes = 4;

function childPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

function describeUnsendable(value: object): string | undefined {
  if (value instanceof Date) return 'a Date (send its toISOString())';
  if (value instanceof Map) return 'a Map (send Object.fromEntries(map))';
  if (value instanceof Set) return 'a Set (send [...set])';
  if (value instanceof RegExp) return 'a RegExp';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 'bytes (send them as base64)';
  return undefined;
}

/**
 * Returns the path of the first value that JSON would not carry unchanged, or undefined if JSON carries all values
 * unchanged. A value with its own `toJSON` is accepted.
 */
function findUnsendable(value: unknown, path: string, search: Search): UnsendableValue | undefined {
  if (typeof value === 'string') count(value.length, search);
  else count(1, search);
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, what: String(value) };
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') {
    return { path, what: `a ${typeof value}` };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const what = describeUnsendable(value);
  if (what !== undefined) return { path, what };
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  if (search.above.includes(value)) return { path, what: 'a circular reference' };
  search.above.push(value);
  const found = Array.isArray(value)
    ? findUnsendableItem(value, path, search)
    : findUnsendableField(value, path, search);
  search.above.pop();
  return found;
}

function count(chars: number, search: Search): void {
  search.charsLeft -= chars;
  if (search.charsLeft < 0) throw new TooManyChars();
}

function findUnsendableItem(
  items: readonly unknown[],
  path: string,
  search: Search,
): UnsendableValue | undefined {
  for (let i = 0; i < items.length; i++) {
    if (items[i] === undefined) return { path: childPath(path, i), what: 'undefined in an array' };
    const found = findUnsendable(items[i], childPath(path, i), search);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findUnsendableField(fields: object, path: string, search: Search): UnsendableValue | undefined {
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    // Most values are strings: counting them here saves building a path for each.
    if (typeof value === 'string') {
      count(value.length, search);
      continue;
    }
    const found = findUnsendable(value, childPath(path, key), search);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Encodes a value as a JSON payload. `undefined` becomes an empty payload, which `fromPayload` reads as `undefined`.
 * `what` names the value in errors.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_JSON with the path of a value that JSON cannot carry, or with the
 * reason why the value could not be read, or reason TOO_LARGE if the payload has more than `maxBytes`.
 */
export function toPayload(value: unknown, what: string, maxBytes: number): Payload {
  if (value === undefined) return { contentType: '', encoding: '', keyId: '', bytes: noBytes, reference: '' };
  const bytes = Buffer.from(jsonOf(value, what, maxBytes), 'utf8');
  if (bytes.length > maxBytes) throw tooLarge(what, `${bytes.length.toLocaleString('en')} bytes`, maxBytes);
  return { contentType: jsonType, encoding: '', keyId: '', bytes, reference: '' };
}

function jsonOf(value: unknown, what: string, maxBytes: number): string {
  const most = maxBytes * countedTimes;
  let found: UnsendableValue | undefined;
  let json: string | undefined;
  try {
    found = findUnsendable(value, '', { above: [], charsLeft: most });
    if (found === undefined) json = JSON.stringify(value);
  } catch (thrown) {
    if (isInstance(thrown, TooManyChars))
      throw tooLarge(what, `more than ${most.toLocaleString('en')} characters`, maxBytes);
    // A RangeError is a stack overflow, or a text that is longer than a string can be.
    const why = isInstance(thrown, RangeError)
      ? `It is nested too deeply or too large (${messageOf(thrown)})`
      : `It could not be read: ${messageOf(thrown)}`;
    throw notJson(what, `${why}.`, thrown);
  }
  if (found !== undefined) throw badJson(what, found);
  if (json === undefined) throw notJson(what, 'Its toJSON() returned nothing that JSON can carry.');
  return json;
}

/**
 * Decodes a JSON payload.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_JSON, if the payload is encrypted, compressed, or not JSON.
 */
export function fromPayload(payload: Pick<Payload, 'contentType' | 'encoding' | 'keyId' | 'bytes'>): unknown {
  const { contentType, encoding, keyId, bytes } = payload;
  if (bytes.length === 0 && contentType === '') return undefined;
  if (encoding !== '' || keyId !== '') {
    throw unreadablePayload(`it is encoded with '${encoding || keyId}'`);
  }
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (thrown) {
    throw unreadablePayload(`it is '${contentType || jsonType}' and not JSON (${(thrown as Error).message})`);
  }
}

const sendJson = 'Send strings, finite numbers, booleans, null, and arrays and plain objects of them.';

function badJson(what: string, { path, what: culprit }: UnsendableValue): HoldfastError {
  const place = path === '' ? 'It is' : `The value at '${path}' is`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `${what} is not JSON. ${place} ${culprit}.`, {
    help: sendJson,
    violations: [{ field: path === '' ? 'payload' : path, description: culprit }],
  });
}

function notJson(what: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `${what} is not JSON. ${why}`, {
    help: sendJson,
    cause,
  });
}

function tooLarge(what: string, has: string, maxBytes: number): HoldfastError {
  const most = `at most ${maxBytes.toLocaleString('en')} bytes`;
  return new HoldfastError('INVALID_ARGUMENT', 'TOO_LARGE', `${what} has ${has}; ${most}.`, {
    help: 'Store large data elsewhere and send a reference to it.',
  });
}

/** Returns the error for a payload that this SDK cannot decode; `why` completes its message. */
export function unreadablePayload(why: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `The payload cannot be read: ${why}.`, {
    help: 'Submit JSON payloads, or use a worker that can decode this format.',
  });
}
