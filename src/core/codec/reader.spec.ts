import { describe, expect, it } from 'vitest';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

function only<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes);
  reader.field();
  return read(reader);
}

describe('a message in the protobuf wire format', () => {
  it.each([1, 127, 128, 16_384, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER, -1, -5, -(2 ** 40)])(
    'carries the number %d',
    (value) => {
      expect(only(new Writer().number(1, value).finish(), (reader) => reader.number())).toBe(value);
    },
  );

  it.each(['a', 'é', '日本', '🙂', '\ufeffmark', 'x'.repeat(200), 'ü'.repeat(10_000)])(
    'carries every text unchanged: ASCII, other Unicode, and thousands of characters',
    (value) => {
      expect(only(new Writer(16).text(1, value).finish(), (reader) => reader.string())).toBe(value);
    },
  );

  it.each([127, 128, 16_383, 16_384, 2_097_152])('carries a nested message of about %d bytes', (length) => {
    const bytes = new Writer().nested(1, (into) => into.raw(new Uint8Array(length).fill(7))).finish();
    expect(only(bytes, (reader) => reader.bytes()).length).toBe(length);
  });

  it('is returned by the Writer as a copy that the next message does not change', () => {
    const writer = new Writer();
    const first = writer.reset().string(1, 'first').finish();
    writer.reset().string(1, 'other').finish();
    expect(only(first, (reader) => reader.string())).toBe('first');
  });
});

describe('the protobuf writer', () => {
  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses the number %d', (value) => {
    expect(() => new Writer().number(1, value)).toThrow(/whole number/);
  });

  it('refuses half of a surrogate pair in a key, and replaces it by U+FFFD in text for people', () => {
    expect(() => new Writer().string(1, 'a\ud800')).toThrow(/well-formed/);
    expect(only(new Writer().words(1, 'a\ud800').finish(), (reader) => reader.string())).toBe('a\ufffd');
  });
});

describe('the protobuf reader', () => {
  const refusals: [string, number[], (reader: Reader) => unknown, RegExp][] = [
    ['text that is not UTF-8', [0x0a, 2, 0xc3, 0x28], (r) => r.string(), /UTF-8/],
    ['half of a surrogate pair', [0x0a, 3, 0xed, 0xa0, 0x80], (r) => r.string(), /UTF-8/],
    ['a number past 2^53', [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], (r) => r.number(), /2\^53/],
    ['a number without an end', [8, ...new Array<number>(11).fill(0x80)], (r) => r.number(), /ten bytes/],
    ['a number cut short', [8, 0x80], (r) => r.number(), /within a number/],
    ['a length past the end', [0x0a, 5, 1], (r) => r.bytes(), /too early/],
    ['a length of four gigabytes', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], (r) => r.bytes(), /too early/],
    ['a field of another type', [8, 1], (r) => r.string(), /another type/],
    ['a group', [0x0b, 0x0c], (r) => r.skip(), /wire type 3/],
  ];
  it.each(refusals)('refuses %s', (_, bytes, read, message) => {
    expect(() => only(Uint8Array.from(bytes), read)).toThrow(message);
  });

  it('refuses the field number 0', () => {
    expect(() => new Reader(Uint8Array.of(2, 1, 1)).field()).toThrow(/number 0/);
  });
});
