import { describe, expect, it } from 'vitest';
import { boundedFields, plainCopy } from './foreign/plain-copy.ts';
import { limits } from './limits.ts';
import { errorText, isInstance, messageOf, textOf } from './untrusted.ts';

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const unreadable = '(it cannot be converted to text)';

describe('a value of any kind', () => {
  it.each<[string, () => unknown]>([
    ['plain', () => 'plain'],
    ['a\ufffd', () => 'a\ud800'],
    ['{"code":7,"list":[1,null,"x"]}', () => ({ code: 7, list: [1, null, 'x'] })],
    ['NaN', () => Number.NaN],
    ['undefined', () => undefined],
    ['12', () => 12n],
    ['a bigint of over 256 bits', () => 1n << 1_000n],
    ['Symbol(s)', () => Symbol('s')],
    ['{"nested":{"n":"1","f":"function textOf"}}', () => ({ nested: { n: 1n, f: textOf } })],
    ['1970-01-01T00:00:00.000Z', () => new Date(0)],
    ['{"error":{"name":"TypeError","message":"inside"}}', () => ({ error: new TypeError('inside') })],
    ['9 bytes', () => new Uint8Array(9)],
    [unreadable, revoked],
    [`{"inside":"${unreadable}"}`, () => ({ inside: revoked() })],
    ['{"__proto__":1}', () => JSON.parse('{"__proto__":1}')],
  ])('becomes the text %s', (text, make) => {
    expect(textOf(make())).toBe(text);
  });

  it('becomes a text of at most the given length, however large, deep or circular it is', () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    let doubled: unknown = 'text';
    for (let i = 0; i < 60; i++) doubled = [doubled, doubled];
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key${i}`, i]));
    for (const value of ['x'.repeat(1e6), circular, doubled, wide, new Array(2 ** 32 - 1)])
      expect(Buffer.byteLength(textOf(value, 1_000))).toBeLessThanOrEqual(1_000);
    expect(textOf(circular)).toBe('{"self":"(circular)"}');
  });

  it('is an instance of no class if it is a revoked proxy', () => {
    expect(isInstance(revoked(), Error)).toBe(false);
    expect(isInstance(new TypeError(), Error)).toBe(true);
  });
});

describe('the text of an error', () => {
  const errorWith = (name: string, value: unknown): Error =>
    Object.defineProperty(new Error('given'), name, { value });

  it('is its message, or its name if it has none', () => {
    expect(errorText(new RangeError('far'))).toEqual({ message: 'far', name: 'RangeError' });
    expect(errorText(new RangeError())).toEqual({ message: 'RangeError', name: 'RangeError' });
  });

  it('is within limits, whatever its message and its name are', () => {
    expect(errorText(errorWith('message', { code: 7 })).message).toBe('{"code":7}');
    expect(errorText(errorWith('message', undefined)).message).toBe('Error (its message cannot be read)');
    expect(errorText(errorWith('name', {})).name).toBe('Error');
    expect(errorText(errorWith('name', 'n'.repeat(9_999))).name).toHaveLength(limits.errorTypeChars);
    expect(messageOf(new Error('x'.repeat(1e6)))).toHaveLength(limits.messageBytes);
  });
});

describe('the fields of a log line', () => {
  it('stay the same objects if a logger can write them', () => {
    const fields = { n: 1, nested: { list: [1] }, err: new TypeError('small', { cause: new Error('why') }) };
    const bounded = boundedFields(fields);
    expect(bounded).toEqual(fields);
    expect(bounded.nested).toBe(fields.nested);
    expect(bounded.err).toBe(fields.err);
  });

  it('are copied with their stack and cause if they are too large or cannot be read', () => {
    const cause = Object.defineProperty(new Error('why'), 'detail', { get: revoked, enumerable: true });
    const { err } = boundedFields({ err: new Error('outer', { cause }) });
    expect(err).toMatchObject({
      name: 'Error',
      message: 'outer',
      stack: expect.stringContaining('at '),
      cause: { message: 'why', detail: unreadable },
    });
  });

  it('have at most the characters of one line in all', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'x'.repeat(5_000)]));
    expect(JSON.stringify(boundedFields(many)).length).toBeLessThan(limits.logLineChars * 2);
  });
});

it('a plain copy keeps what JSON can carry', () => {
  const value = { a: [1, 'two', { three: null }], b: true };
  expect(plainCopy(value, 1_000)).toEqual(value);
});
