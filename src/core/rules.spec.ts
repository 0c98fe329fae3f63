import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Bytes } from './rules.ts';

// This test builds its own characters, because the string unit of fast-check that covers all of Unicode takes seconds
// to build.
const character = fc
  .oneof(fc.nat(0x7f), fc.nat(0x7ff), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((point) => String.fromCodePoint(point));

describe('utf8Bytes', () => {
  it('counts the same number of bytes as an encoder for every well-formed string', () => {
    fc.assert(
      fc.property(fc.string({ unit: character }), (text) => {
        expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });
});
