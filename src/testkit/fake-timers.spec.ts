import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { defineTask, defineWorker, handle, typed } from '../index.ts';
import { testKit } from './index.ts';

const patient = defineTask('patient', {
  input: typed<null>(),
  retry: { maxAttempts: 29, backoff: () => '6h' },
});

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

it('a week of retries runs under the fake timers of vitest, which it does not move', async () => {
  const times: Date[] = [];
  const worker = defineWorker({
    handlers: [
      handle(patient, (_, { attempt }) => {
        times.push(kit.clock.now());
        if (attempt < 29) throw new Error('not yet');
      }),
    ],
  });
  await using kit = await testKit({ worker });
  const task = await kit.submit(patient, null);
  await kit.clock.advance('7d');
  expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 29 });
  expect(times.at(-1)).toEqual(new Date('2026-01-08T00:00:00Z'));
  expect(Date.now()).toBe(0);
});

it('a handler that waits by a faked timer goes on when the test moves that timer', async () => {
  const worker = defineWorker({
    handlers: [handle(patient, () => new Promise<void>((resolve) => void setTimeout(resolve, 5_000)))],
  });
  await using kit = await testKit({ worker, realWait: '1ms' });
  const task = await kit.submit(patient, null);
  await kit.clock.advance('1s');
  expect(await task.status()).toMatchObject({ state: 'running' });
  await vi.advanceTimersByTimeAsync(5_000);
  await kit.clock.advance('1s');
  expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
});
