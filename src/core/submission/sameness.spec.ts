import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSpec, type Spec } from '../codec/spec.ts';
import { sameSpec } from './sameness.ts';

const json = {
  contentType: 'application/json',
  encoding: '',
  keyId: '',
  bytes: new Uint8Array(0),
  reference: '',
};

function spec(text: string, change: Partial<Spec> = {}): Uint8Array {
  const payload = { ...json, bytes: new TextEncoder().encode(text) };
  return encodeSpec({ type: 'mail', typeVersion: 1, orderingKey: undefined, payload, ...change });
}

/** Returns a copy of a JSON value that has the keys of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

describe('the comparison of two submissions', () => {
  it('ignores the order of JSON keys and white space', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const turned = JSON.stringify(reversed(value), null, 2);
        expect(sameSpec(spec(JSON.stringify(value)), spec(turned))).toBe(true);
      }),
    );
  });

  it('finds a difference in the value, type, version, ordering key or encoding', () => {
    expect(sameSpec(spec('{"a":1}'), spec('{"a":2}'))).toBe(false);
    expect(sameSpec(spec('{"a":1}'), spec('{"a":1}', { type: 'sms' }))).toBe(false);
    expect(sameSpec(spec('{"a":1}'), spec('{"a":1}', { typeVersion: 2 }))).toBe(false);
    expect(sameSpec(spec('{"a":1}'), spec('{"a":1}', { orderingKey: 'x' }))).toBe(false);
    const bytes = new TextEncoder().encode('{"a": 1}');
    const packed = { contentType: 'application/json', encoding: 'zstd', keyId: '', bytes, reference: '' };
    expect(sameSpec(spec('{"a":1}'), spec('', { payload: packed }))).toBe(false);
  });

  it('reads a type version of zero as one', () => {
    expect(sameSpec(spec('1', { typeVersion: 0 }), spec('1', { typeVersion: 1 }))).toBe(true);
  });

  it('compares invalid JSON byte by byte, even if the content type is JSON', () => {
    expect(sameSpec(spec('{broken'), spec('{broken'))).toBe(true);
    expect(sameSpec(spec('{broken'), spec('{broken '))).toBe(false);
  });

  it('compares JSON by value: escapes, 1.0 and 1, minus zero and zero are equal', () => {
    expect(sameSpec(spec('{"a":"A\\u0042"}'), spec('{"a":"AB"}'))).toBe(true);
    expect(sameSpec(spec('[1.0, 10e-1, 1500]'), spec('[1,1,1.5E3]'))).toBe(true);
    expect(sameSpec(spec('[-0]'), spec('[0]'))).toBe(true);
    expect(sameSpec(spec('["é"]'), spec('["e\u0301"]'))).toBe(false);
    expect(sameSpec(spec('[1,2]'), spec('[2,1]'))).toBe(false);
  });

  it('finds a difference in numbers more exact than a double, because other languages read such numbers exactly', () => {
    expect(sameSpec(spec('{"id":9007199254740993}'), spec('{"id":9007199254740992}'))).toBe(false);
    expect(sameSpec(spec('{"id": 9007199254740993}'), spec('{"id":9007199254740993}'))).toBe(false);
    expect(sameSpec(spec('[1e999]'), spec('[2e999]'))).toBe(false);
    expect(sameSpec(spec('[0.1000000000000000000001]'), spec('[0.1]'))).toBe(false);
  });

  it('finds a difference if an object has a key twice, because parsers differ in which value they take', () => {
    expect(sameSpec(spec('{"a":1,"a":2}'), spec('{"a":2}'))).toBe(false);
    expect(sameSpec(spec('{"a:a":{"b":1}} '), spec('{"a:a":{"b":1}}'))).toBe(true);
    expect(sameSpec(spec('{"__proto__":1,"b":2}'), spec('{"b":2,"__proto__":1}'))).toBe(true);
    expect(sameSpec(spec('{"__proto__":1,"b":2}'), spec('{"b":2,"__proto__":3}'))).toBe(false);
  });

  it('compares texts that are not UTF-8 byte by byte', () => {
    const broken = (byte: number) =>
      spec('', { payload: { ...json, bytes: Uint8Array.of(0x22, byte, 0x22) } });
    expect(sameSpec(broken(0xff), broken(0xfe))).toBe(false);
  });

  it('reads an empty content type as application/json, and finds a difference between two JSON content types', () => {
    const as = (contentType: string, text: string) =>
      spec('', { payload: { ...json, contentType, bytes: new TextEncoder().encode(text) } });
    expect(sameSpec(as('', '[1, 2]'), as('application/json', '[1,2]'))).toBe(true);
    expect(sameSpec(as('application/ld+json', '[1, 2]'), as('application/ld+json', '[1,2]'))).toBe(true);
    expect(sameSpec(as('application/ld+json', '[1]'), as('application/json', '[1]'))).toBe(false);
    expect(sameSpec(as('text/plain', '[1, 2]'), as('text/plain', '[1,2]'))).toBe(false);
  });

  it('finds a difference if there are fields of a newer version, unless the bytes are equal', () => {
    const added = (value: number) => Buffer.concat([spec('[1]'), Uint8Array.of(0x48, value)]);
    expect(sameSpec(added(1), added(2))).toBe(false);
    expect(sameSpec(added(1), added(1))).toBe(true);
  });

  it('takes linear time for deeply nested JSON and for long runs of zeros', () => {
    const deep = (space: string) => spec(`${'['.repeat(60_000)}${space}${']'.repeat(60_000)}`);
    expect(sameSpec(deep(''), deep(' '))).toBe(true);
    const zeros = (space: string) => spec(`[${space}1${'0'.repeat(250_000)}1]`);
    expect(sameSpec(zeros(''), zeros(' '))).toBe(false);
  });
});
