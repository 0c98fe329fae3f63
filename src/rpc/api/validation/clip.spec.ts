import { describe, expect, it } from 'vitest';
import { clipBytes, clipChars, traceparentOf } from './clip.ts';

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
    expect(clipChars('a😀', 2)).toBe('a\ufffd');
  });
});

describe('a traceparent', () => {
  const good = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-03`;

  it('is kept if it is well formed', () => {
    expect(traceparentOf(good)).toBe(good);
  });

  it.each([
    ['', 'nothing'],
    [good.toUpperCase(), 'capitals'],
    [`${good}0`, 'too long'],
    [good.replace(/^00/, 'ff'), 'a forbidden version'],
    [good.replace(/a+/, '0'.repeat(32)), 'no trace'],
    [good.replace(/b+/, '0'.repeat(16)), 'no span'],
  ])('is dropped if it is malformed: %s', (given) => {
    expect(traceparentOf(given)).toBe('');
  });
});
