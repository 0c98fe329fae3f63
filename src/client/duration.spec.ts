import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { type Duration, durationMs } from './duration.ts';

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    [0, 0],
    [12.4, 12],
  ] as const)('that is written as %s has %i ms', (duration, ms) => {
    expect(durationMs(duration)).toBe(ms);
  });

  it.each(['10 minutes', '10', 's', '-5s', '1e3s', '', Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'that is written as %s is refused with an error that names the field',
    (duration) => {
      expect(() => durationMs(duration as Duration, 'delay')).toThrow(HoldfastError);
      expect(() => durationMs(duration as Duration, 'delay')).toThrow(/^delay: /);
    },
  );
});
