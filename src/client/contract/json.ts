/** Values to JSON bytes and back, with an error that names the place that JSON cannot carry. */
import { type Payload, readPayload } from '../../core/codec/payload.ts';
import { Reader } from '../../core/codec/reader.ts';
import { HoldfastError } from '../../core/errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const none = new Uint8Array(0);
const jsonType = 'application/json';

interface Lost {
  readonly path: string;
  readonly what: string;
}

function at(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

function nameOf(value: object): string | undefined {
  if (value instanceof Date) return 'a Date (send its toISOString())';
  if (value instanceof Map) return 'a Map (send Object.fromEntries(map))';
  if (value instanceof Set) return 'a Set (send [...set])';
  if (value instanceof RegExp) return 'a RegExp';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 'bytes (send them as base64)';
  return undefined;
}

/**
 * The first place whose value would not arrive as it was given. Whatever has a `toJSON` of its own speaks for itself.
 * `above` is what the value lies in, to know a circle.
 */
function firstLost(value: unknown, path: string, above: object[]): Lost | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, what: String(value) };
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') {
    return { path, what: `a ${typeof value}` };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const what = nameOf(value);
  if (what !== undefined) return { path, what };
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  if (above.includes(value)) return { path, what: 'a circle' };
  above.push(value);
  const lost = Array.isArray(value) ? lostItem(value, path, above) : lostField(value, path, above);
  above.pop();
  return lost;
}

function lostItem(items: readonly unknown[], path: string, above: object[]): Lost | undefined {
  for (let i = 0; i < items.length; i++) {
    if (items[i] === undefined) return { path: at(path, i), what: 'undefined in an array' };
    const lost = firstLost(items[i], at(path, i), above);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

function lostField(fields: object, path: string, above: object[]): Lost | undefined {
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    // Text is most of what is sent; its path is not worth making.
    if (typeof value === 'string') continue;
    const lost = firstLost(value, at(path, key), above);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

/**
 * The payload of a value; `undefined` is sent as nothing at all and comes back as `undefined`.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_JSON, naming the place; reason TOO_LARGE past `maxBytes`.
 */
export function toPayload(value: unknown, what: string, maxBytes: number): Payload {
  if (value === undefined) return { contentType: '', encoding: '', keyId: '', bytes: none, reference: '' };
  const lost = firstLost(value, '', []);
  if (lost !== undefined) throw badJson(what, lost);
  const bytes = Buffer.from(JSON.stringify(value), 'utf8');
  if (bytes.length > maxBytes) throw tooLarge(what, bytes.length, maxBytes);
  return { contentType: jsonType, encoding: '', keyId: '', bytes, reference: '' };
}

/** @throws HoldfastError INVALID_ARGUMENT, reason BAD_JSON, where the bytes are not what this SDK can read. */
export function fromPayload(payload: Pick<Payload, 'contentType' | 'encoding' | 'keyId' | 'bytes'>): unknown {
  const { contentType, encoding, keyId, bytes } = payload;
  if (bytes.length === 0 && contentType === '') return undefined;
  if (encoding !== '' || keyId !== '') {
    throw unreadable(`it is packed as '${encoding || keyId}'`);
  }
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (thrown) {
    throw unreadable(`it is '${contentType || jsonType}' and not JSON (${(thrown as Error).message})`);
  }
}

export function fromPayloadBytes(bytes: Uint8Array): unknown {
  return fromPayload(readPayload(new Reader(bytes)));
}

function badJson(what: string, { path, what: culprit }: Lost): HoldfastError {
  const place = path === '' ? 'It is' : `At '${path}' it holds`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `${what} is not JSON. ${place} ${culprit}.`, {
    help: 'Send strings, finite numbers, booleans, null, and arrays and plain objects of them.',
    violations: [{ field: path === '' ? 'payload' : path, description: culprit }],
  });
}

function tooLarge(what: string, bytes: number, maxBytes: number): HoldfastError {
  const [has, most] = [bytes, maxBytes].map((n) => n.toLocaleString('en'));
  return new HoldfastError('INVALID_ARGUMENT', 'TOO_LARGE', `${what} has ${has} bytes; at most ${most}.`, {
    help: 'Store large data elsewhere and send where it lies.',
  });
}

export function unreadable(why: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', `The payload cannot be read: ${why}.`, {
    help: 'Submit it as JSON, or read it with a worker that knows its form.',
  });
}
