/** Converts values to JSON bytes and back. An error names the path of the value that JSON cannot carry. */
import type { Payload } from '../../core/codec/payload.ts';
import { HoldfastError } from '../../core/errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const noBytes = new Uint8Array(0);
const jsonType = 'application/json';

interface UnsendableValue {
  readonly path: string;
  readonly what: string;
}

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
 * unchanged. A value with its own `toJSON` is accepted. `above` holds the objects that contain the value, to detect a
 * circular reference.
 */
function findUnsendable(value: unknown, path: string, above: object[]): UnsendableValue | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, what: String(value) };
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') {
    return { path, what: `a ${typeof value}` };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const what = describeUnsendable(value);
  if (what !== undefined) return { path, what };
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  if (above.includes(value)) return { path, what: 'a circular reference' };
  above.push(value);
  const found = Array.isArray(value)
    ? findUnsendableItem(value, path, above)
    : findUnsendableField(value, path, above);
  above.pop();
  return found;
}

function findUnsendableItem(
  items: readonly unknown[],
  path: string,
  above: object[],
): UnsendableValue | undefined {
  for (let i = 0; i < items.length; i++) {
    if (items[i] === undefined) return { path: childPath(path, i), what: 'undefined in an array' };
    const found = findUnsendable(items[i], childPath(path, i), above);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findUnsendableField(fields: object, path: string, above: object[]): UnsendableValue | undefined {
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    // Most values are strings: skipping them here saves building a path for each.
    if (typeof value === 'string') continue;
    const found = findUnsendable(value, childPath(path, key), above);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Encodes a value as a JSON payload. `undefined` becomes an empty payload, which `fromPayload` reads as `undefined`.
 * `what` names the value in errors.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_JSON with the path of a value that JSON cannot carry, or reason
 * TOO_LARGE if the payload has more than `maxBytes`.
 */
export function toPayload(value: unknown, what: string, maxBytes: number): Payload {
  if (value === undefined) return { contentType: '', encoding: '', keyId: '', bytes: noBytes, reference: '' };
  const found = findUnsendable(value, '', []);
  if (found !== undefined) throw badJson(what, found);
  const bytes = Buffer.from(JSON.stringify(value), 'utf8');
  if (bytes.length > maxBytes) throw tooLarge(what, bytes.length, maxBytes);
  return { contentType: jsonType, encoding: '', keyId: '', bytes, reference: '' };
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

function badJson(what: string, { path, what: culprit }: UnsendableValue): HoldfastError {
  const place = path === '' ? 'It is' : `The value at '${path}' is`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `${what} is not JSON. ${place} ${culprit}.`, {
    help: 'Send strings, finite numbers, booleans, null, and arrays and plain objects of them.',
    violations: [{ field: path === '' ? 'payload' : path, description: culprit }],
  });
}

function tooLarge(what: string, bytes: number, maxBytes: number): HoldfastError {
  const [has, most] = [bytes, maxBytes].map((n) => n.toLocaleString('en'));
  return new HoldfastError('INVALID_ARGUMENT', 'TOO_LARGE', `${what} has ${has} bytes; at most ${most}.`, {
    help: 'Store large data elsewhere and send a reference to it.',
  });
}

/** Returns the error for a payload that this SDK cannot decode; `why` completes its message. */
export function unreadablePayload(why: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `The payload cannot be read: ${why}.`, {
    help: 'Submit JSON payloads, or use a worker that can decode this format.',
  });
}
