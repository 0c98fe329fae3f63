import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, delayMs, nextBackoff, nextDelayMs } from './backoff.ts';

const policy = { maxAttempts: 1_000, baseMs: 1_000, factor: 2, maxMs: 300_000 };

describe('backoff', () => {
  it('grows from the base wait to the longest wait, with jitter over the whole range', () => {
    const almost = 1 - Number.EPSILON;
    expect([1, 2, 3, 4].map((attempt) => backoffMs(policy, attempt, almost))).toEqual([
      1_000, 2_000, 4_000, 8_000,
    ]);
    expect(backoffMs(policy, 30, almost)).toBe(300_000);
    expect(backoffMs(policy, 3, 0.25)).toBe(1_000);
    expect(backoffMs(policy, 3, 0)).toBe(1);
  });

  it('is a whole number of ms from 1 to the longest wait, for every retry policy', () => {
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

describe('a delay that doubles', () => {
  const range = { firstMs: 1_000, longestMs: 8_000 };

  it('equals the first delay if it was never doubled, and never exceeds the longest delay', () => {
    expect([-1, 0, 1, 2, 3, 4, 2_000].map((doublings) => delayMs(range, doublings))).toEqual([
      1_000, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000,
    ]);
  });

  it('has the same value whether it is computed from the previous delay or from the number of failures', () => {
    let ms = 0;
    for (let failures = 0; failures < 6; failures++) {
      ms = nextDelayMs(range, ms);
      expect(ms).toBe(delayMs(range, failures));
    }
  });

  it('is counted from the time of the failure', () => {
    const first = nextBackoff(undefined, 50_000, range);
    expect(first).toEqual({ ms: 1_000, untilMs: 51_000 });
    expect(nextBackoff(first, 60_000, range)).toEqual({ ms: 2_000, untilMs: 62_000 });
  });
});
