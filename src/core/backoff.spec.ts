import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

const policy = { maxAttempts: 1_000, baseMs: 1_000, factor: 2, maxMs: 300_000 };

describe('backoff', () => {
  it('grows from the base to the longest, jittered over its whole range', () => {
    const almost = 1 - Number.EPSILON;
    expect([1, 2, 3, 4].map((attempt) => backoffMs(policy, attempt, almost))).toEqual([
      1_000, 2_000, 4_000, 8_000,
    ]);
    expect(backoffMs(policy, 30, almost)).toBe(300_000);
    expect(backoffMs(policy, 3, 0.25)).toBe(1_000);
    expect(backoffMs(policy, 3, 0)).toBe(1);
  });

  it('is a whole number from 1 ms to the attempt’s ceiling, for every policy', () => {
    fc.assert(
      fc.property(
        fc.record({
          maxAttempts: fc.constant(1_000),
          baseMs: fc.integer({ min: 0, max: 86_400_000 }),
          factor: fc.double({ min: 0, max: 1_000, noNaN: true }),
          maxMs: fc.integer({ min: 1, max: 2_592_000_000 }),
        }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (one, attempt, random) => {
          const ms = backoffMs(one, attempt, random);
          expect(Number.isSafeInteger(ms)).toBe(true);
          expect(ms).toBeGreaterThanOrEqual(1);
          expect(ms).toBeLessThanOrEqual(one.maxMs);
        },
      ),
    );
  });
});
