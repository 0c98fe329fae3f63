import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Bytes } from './check.ts';

describe('counting UTF-8 bytes', () => {
  it('agrees with encoding for every well-formed string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });
});
