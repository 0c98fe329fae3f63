import { describe, expect, it } from 'vitest';
import { traceparentOf } from './traceparent.ts';

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
