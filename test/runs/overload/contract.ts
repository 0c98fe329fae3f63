import { defineTask, typed } from '../../../src/index.ts';

export const tenant = 'default';
export const queue = 'overload';

/**
 * A task whose handler runs for `holdMs` ms. Long tasks run for longer than the table is throttled, and need heartbeats
 * to keep their lease.
 */
export const step = defineTask('step', {
  queue,
  input: typed<{ n: number; holdMs: number; text: string }>(),
});

const longEvery = 50;
const longMs = 20_000;
const text = 'x'.repeat(150);

export function inputOf(n: number, withLong: boolean): { n: number; holdMs: number; text: string } {
  return { n, holdMs: withLong && n % longEvery === 0 ? longMs : 0, text };
}

/** Returns how many attempts of long tasks run at once at this rate of submissions. */
export const heldAt = (perS: number): number => Math.ceil((perS / longEvery) * (longMs / 1_000));
