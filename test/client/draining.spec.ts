/** Tests a drain of a worker: its two signals, the time that it takes, and its report. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  type AttemptAborted,
  type AttemptContext,
  defineTask,
  defineWorker,
  handle,
  Snooze,
  typed,
} from '../../src/index.ts';
import { startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ n: number }>(), retry: { maxAttempts: 2 } });

type Run = (context: AttemptContext) => Promise<void>;

/** Starts a worker with one running attempt of this handler. */
async function runningJob(run: Run, concurrency = 4) {
  const it = await startClientServer();
  const handlers = [handle(job, (_input, context) => run(context))];
  const running = await it.client.work(defineWorker({ concurrency, handlers }));
  const task = await it.client.submit(job, { n: 0 });
  await it.advance(1_000);
  return { ...it, running, task };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
const forever = (): Promise<never> => new Promise(() => {});

it('aborts context.stopping at once when the worker begins to drain, and context.signal at the end', async () => {
  const seen: string[] = [];
  let began = 0;
  const { running, clock, until } = await runningJob((context) => {
    for (const name of ['stopping', 'signal'] as const) {
      context[name].addEventListener('abort', () => {
        const { kind } = context[name].reason as AttemptAborted;
        seen.push(`${name} ${kind} ${clock.now() - began}`);
      });
    }
    return forever();
  });
  began = clock.now();
  const drained = running.drain({ timeout: '5s' });
  expect(seen).toEqual(['stopping shutdown 0']);
  await until(drained);
  expect(seen).toEqual(['stopping shutdown 0', 'signal shutdown 5000']);
});

it('gives a handler that first reads context.stopping during the drain an aborted signal', async () => {
  const read = Promise.withResolvers<void>();
  let isAborted: boolean | undefined;
  const { running, until } = await runningJob(async (context) => {
    await read.promise;
    isAborted = context.stopping.aborted;
  });
  const drained = running.drain();
  read.resolve();
  expect(await until(drained)).toEqual({ finished: 1, released: 0, unanswered: 0, stillRunning: 0 });
  expect(isAborted).toBe(true);
});

it('records a Snooze that a handler throws because its worker drains', async () => {
  const { running, task, until } = await runningJob(async ({ stopping }) => {
    await aborted(stopping);
    throw new Snooze('1h');
  });
  expect(await until(running.drain())).toMatchObject({ finished: 1, released: 0 });
  expect(await task.status()).toMatchObject({ state: 'scheduled', attempt: 0 });
});

it.each<[string, Run]>([
  [
    'throws context.stopping.reason',
    async ({ stopping }) => {
      await aborted(stopping);
      stopping.throwIfAborted();
    },
  ],
  [
    'awaits a function of Node.js that got context.stopping',
    ({ stopping: signal }) => sleep(60_000, undefined, { signal }),
  ],
])('releases the task of a handler that %s, without using an attempt', async (_, run) => {
  const { running, task, until, lines } = await runningJob(run);
  expect(await until(running.drain())).toMatchObject({ finished: 0, released: 1, unanswered: 0 });
  expect(await task.status()).toMatchObject({ state: 'ready', attempt: 0 });
  expect(lines).toMatchObject([{ level: 'info', fields: { why: 'The worker is stopping.' } }]);
});

it('fails the attempt of a handler that throws an error of its own while its worker drains', async () => {
  const { running, task, until } = await runningJob(async ({ stopping }) => {
    await aborted(stopping);
    throw new Error('no');
  });
  expect(await until(running.drain())).toMatchObject({ finished: 1, released: 0 });
  expect(await task.status()).toMatchObject({ state: 'scheduled', attempt: 1 });
});

it('starts no waiting task in the slot of a handler that ends because its worker drains', async () => {
  let started = 0;
  const { running, client, advance, until } = await runningJob(async ({ stopping }) => {
    started++;
    await aborted(stopping);
  }, 1);
  const waiting = await client.submit(job, { n: 1 });
  await advance(1_000);
  await until(running.drain());
  expect(started).toBe(1);
  expect(await waiting.status()).toMatchObject({ state: 'ready', attempt: 0 });
});

it('resolves within 1 s after its timeout, with a handler that ignores its signals and a server that is gone', async () => {
  const { running, clock, transport, until } = await runningJob(forever);
  transport.unreachable = true;
  transport.cut('report');
  transport.cut('work');
  const began = clock.now();
  const report = await until(running.drain({ timeout: '5s' }));
  expect(clock.now() - began).toBeLessThanOrEqual(6_000);
  expect(report).toEqual({ finished: 0, released: 1, unanswered: 1, stillRunning: 1 });
});

it('waits within its timeout for the server to acknowledge the outcomes, so that a restart of the server loses none', async () => {
  const { running, task, transport, advance, until } = await runningJob(({ stopping }) => aborted(stopping));
  transport.unreachable = true;
  transport.cut('report');
  const drained = running.drain();
  await advance(10_000);
  transport.unreachable = false;
  expect(await until(drained)).toMatchObject({ finished: 1, unanswered: 0 });
  expect((await task.status()).state).toBe('succeeded');
});

it('lasts 25 s if no timeout is given', async () => {
  const { running, clock, until } = await runningJob(forever);
  const began = clock.now();
  await until(running.drain());
  expect(clock.now() - began).toBeGreaterThanOrEqual(25_000);
  expect(clock.now() - began).toBeLessThanOrEqual(26_000);
});
