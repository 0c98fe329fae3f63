import { expect, it } from 'vitest';
import { silentLog } from '../ports/log.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startLoop } from './loop.ts';

const secondMs = 1_000;

function startTestLoop(round: (signal: AbortSignal, alive: () => void) => Promise<boolean>) {
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

it('a background loop whose round is stuck starts again, and the signal of the stuck round is aborted', async () => {
  const { clock, errors, begun } = startTestLoop(() => new Promise(() => {}));
  await clock.advance(130 * secondMs);
  expect(begun.length).toBeGreaterThan(1);
  expect(begun[0]?.aborted).toBe(true);
  expect(begun.at(-1)?.aborted).toBe(false);
  expect(errors[0]).toMatch(/made no progress/);
});

it('a background loop does not start again while a long round calls `alive`', async () => {
  const late: { sleep?: (ms: number) => Promise<void> } = {};
  const { clock, begun, errors } = startTestLoop(async (_, alive) => {
    for (let i = 0; i < 30; i++) {
      await late.sleep?.(20 * secondMs);
      alive();
    }
    return false;
  });
  late.sleep = (ms) => clock.sleep(ms);
  await clock.advance(500 * secondMs);
  expect(begun).toHaveLength(1);
  expect(errors).toEqual([]);
});

it('a background loop runs its next round after a round that failed', async () => {
  let rounds = 0;
  const { clock, errors } = startTestLoop(async () => {
    rounds++;
    throw new Error('no');
  });
  await clock.advance(3 * secondMs + 1);
  expect(rounds).toBeGreaterThanOrEqual(3);
  expect(errors[0]).toMatch(/a round of a background loop failed/);
});
