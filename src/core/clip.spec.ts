import { describe, expect, it } from 'vitest';
import { clipBytes, clipChars } from './clip.ts';

describe('a text that is shortened to a limit', () => {
  it('is unchanged if it fits', () => {
    expect(clipBytes('é'.repeat(4), 8)).toBe('éééé');
    expect(clipChars('abc', 3)).toBe('abc');
  });

  it('is cut between characters', () => {
    expect(clipBytes('aéé', 4)).toBe('aé');
    expect(clipBytes('😀😀', 7)).toBe('😀');
    expect(clipChars('abcd', 3)).toBe('abc');
  });

  it('has no lone surrogates afterwards', () => {
    expect(clipBytes('a\ud800', 100)).toBe('a\ufffd');
    expect(clipBytes(`${'a'.repeat(7)}😀`, 8)).toBe('a'.repeat(7));
    expect(clipChars('a😀', 2)).toBe('a\ufffd');
  });
});
