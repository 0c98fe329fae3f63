/** Tests a worker that gets tasks that must run alone while a long task runs in it: others must not wait for them. */
import { expect, it } from 'vitest';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { submitLost } from './alone-tasks.ts';
import { startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ n: number }>(), timeout: '60s' });
const long = defineTask('long', { input: typed<{ ms: number }>(), timeout: '3h' });
const hourMs = 3_600_000;
const lostFrom = 1_000;

/** Starts a worker of 8 slots with a task of `longMs`. The lost tasks become ready while it runs. */
async function busyWorker(lostCount: number, longMs: number, beginsAtOnce: boolean, limit?: number) {
  const server = await startClientServer({ beginsAtOnce });
  for (let i = 0; i < lostCount; i++) await submitLost(server, job, lostFrom + i, 20_000);
  const { client, clock, advance } = server;
  const done: number[] = [];
  const lost: { readonly n: number; readonly beside: number }[] = [];
  let running = 0;
  const runJob = async ({ n }: { n: number }): Promise<void> => {
    if (n >= lostFrom) lost.push({ n, beside: running });
    running++;
    await clock.sleep(100);
    running--;
    if (n < lostFrom) done.push(n);
  };
  const runLong = async ({ ms }: { ms: number }): Promise<void> => {
    running++;
    await clock.sleep(ms);
    running--;
  };
  const limits = limit === undefined ? {} : { concurrency: limit };
  await client.work(
    defineWorker({ concurrency: 8, handlers: [handle(job, runJob, limits), handle(long, runLong)] }),
  );
  await client.submit(long, { ms: longMs });
  await advance(25_000);
  /** Submits 10 ordinary tasks in each of the next minutes. Returns how many of them have run at each one's end. */
  const minutes = async (count: number): Promise<number[]> => {
    const counts: number[] = [];
    const before = done.length;
    for (let i = 0; i < count; i++) {
      for (let n = 0; n < 10; n++) await client.submit(job, { n });
      await advance(60_000);
      counts.push(done.length - before - 10 * i);
    }
    return counts;
  };
  return { ...server, minutes, lost };
}

it.each([
  ['that fetches ahead', 16, false, undefined],
  ['that fetches ahead', 100, false, undefined],
  ['that limits the type', 16, false, 2],
  ['that begins at once', 16, true, undefined],
])(
  'a worker %s holds itself for a minute at most while a long task runs, with %d lost tasks',
  async (_, count, beginsAtOnce, limit) => {
    const { minutes, lost } = await busyWorker(count, hourMs, beginsAtOnce, limit);
    // The tasks of the minute that the worker held itself follow in the next one.
    const [first = 0, second = 0, ...later] = await minutes(12);
    expect(first + second).toBe(20);
    expect(later).toEqual(later.map(() => 10));
    expect(lost).toEqual([]);
  },
);

it.each([
  ['fetches ahead', false],
  ['begins at once', true],
])('a worker that %s runs its lost tasks alone once the long task has ended', async (_, beginsAtOnce) => {
  const { minutes, lost, advance } = await busyWorker(4, 300_000, beginsAtOnce);
  await minutes(4);
  expect(lost).toEqual([]);
  await advance(600_000);
  expect(lost.map(({ n }) => n).toSorted()).toEqual([0, 1, 2, 3].map((i) => lostFrom + i));
  expect(lost.map(({ beside }) => beside)).toEqual([0, 0, 0, 0]);
});

it('a worker that is never idle runs a lost task alone once the attempts have ended for which it had waited', async () => {
  const { client, lost, advance } = await busyWorker(1, 200_000, false);
  for (let second = 0; second < 900; second++) {
    await client.submit(long, { ms: 1_500 });
    await advance(1_000);
  }
  expect(lost).toEqual([{ n: lostFrom, beside: 0 }]);
});
