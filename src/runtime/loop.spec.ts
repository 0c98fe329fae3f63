import { expect, it } from 'vitest';
import { silentLog } from '../ports/log.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startLoop } from './loop.ts';

const secondMs = 1_000;

function given(round: (signal: AbortSignal, alive: () => void) => Promise<boolean>) {
  const clock = virtualClock();
  const errors: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => void errors.push(message) };
  const begun: AbortSignal[] = [];
  const loop = startLoop({
    name: 'test',
    everyMs: secondMs,
    stuckAfterMs: 60 * secondMs,
    clock,
    log,
    round: (signal, alive) => {
      begun.push(signal);
      return round(signal, alive);
    },
  });
  return { clock, errors, begun, loop };
}

it('begins anew beside a round that is stuck, and calls that one off', async () => {
  const { clock, errors, begun } = given(() => new Promise(() => {}));
  await clock.advance(130 * secondMs);
  expect(begun.length).toBeGreaterThan(1);
  expect(begun[0]?.aborted).toBe(true);
  expect(begun.at(-1)?.aborted).toBe(false);
  expect(errors[0]).toMatch(/stopped silently/);
});

it('leaves a long round alone that says it is alive', async () => {
  const clockOf: { sleep?: (ms: number) => Promise<void> } = {};
  const made = given(async (_, alive) => {
    for (let i = 0; i < 30; i++) {
      await clockOf.sleep?.(20 * secondMs);
      alive();
    }
    return false;
  });
  clockOf.sleep = (ms) => made.clock.sleep(ms);
  await made.clock.advance(500 * secondMs);
  expect(made.begun).toHaveLength(1);
  expect(made.errors).toEqual([]);
});

it('goes on after a round that failed', async () => {
  let rounds = 0;
  const { clock, errors } = given(async () => {
    rounds++;
    throw new Error('no');
  });
  await clock.advance(3 * secondMs + 1);
  expect(rounds).toBeGreaterThanOrEqual(3);
  expect(errors[0]).toMatch(/a round failed/);
});
