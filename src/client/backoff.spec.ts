import { expect, it } from 'vitest';
import { reopenMs } from './backoff.ts';

it('a worker tries to open its stream every 200 ms or sooner for some seconds, then more and more seldom', () => {
  const longest = Array.from({ length: 40 }, (_, attempt) => reopenMs(attempt, 1));
  expect(longest.slice(0, 4)).toEqual([50, 100, 200, 200]);
  expect(Math.max(...longest.slice(0, 32))).toBe(200);
  expect(longest.slice(32, 38)).toEqual([400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(
    Array.from({ length: 32 }, (_, attempt) => reopenMs(attempt, 0)).reduce((a, b) => a + b),
  ).toBeGreaterThan(2_500);
});

it('a worker waits at least as long as its server requests before it opens its stream again', () => {
  expect(reopenMs(0, 0, 1_000)).toBe(1_000);
});
