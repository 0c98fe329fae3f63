/** Tests tasks whose report of a beginning waits for the socket, as it does while the window of a stream is full. */
import { expect, it } from 'vitest';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { stallingClock } from '../fixtures/stalling-clock.ts';
import { submitLost } from './alone-tasks.ts';
import { type ClientServer, startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ n: number }>(), timeout: '60s' });

/**
 * Starts a worker whose reports of beginnings wait until the test calls `send`. `stall` makes its thread stand still: time
 * passes, and its timers do not fire.
 */
async function stalledWorker(before?: (server: ClientServer) => Promise<unknown>) {
  const server = await startClientServer();
  await before?.(server);
  const clock = stallingClock(server.clock.process());
  const { client, transport } = server.another({ clock });
  const sent = Promise.withResolvers<void>();
  const open = transport.work;
  transport.work = (events) => {
    const out = open(events);
    const send: typeof out.send = (message) => {
      if (message.kind !== 'received') return out.send(message);
      void sent.promise.then(() => out.send(message));
      return false;
    };
    return { ...out, send, drained: () => sent.promise };
  };
  const begun: number[] = [];
  const run = ({ n }: { n: number }): void => void begun.push(n);
  await client.work(defineWorker({ name: 'stalled', concurrency: 2, handlers: [handle(job, run)] }));
  return { ...server, stall: clock.stall, begun, send: sent.resolve };
}

const inMs = ({ clock }: ClientServer, ms: number) => ({ deadline: new Date(clock.now() + ms) });

it('a task whose deadline passes while the report of its beginning waits is given back then, and not called later', async () => {
  const server = await stalledWorker();
  const { client, advance, begun, send } = server;
  const late = await client.submit(job, { n: 1 }, inMs(server, 3_000));
  await advance(2_900);
  expect(await late.status()).toMatchObject({ state: 'reserved' });
  await advance(200);
  expect(await late.status()).toMatchObject({ state: 'dead', deadReason: 'deadline' });
  send();
  await advance(30_000);
  expect(begun).toEqual([]);
});

it('a task runs in another worker if the report of its beginning waits for 5 s', async () => {
  const { another, client, advance, begun, send } = await stalledWorker();
  const task = await client.submit(job, { n: 1 });
  await advance(100);
  expect(await task.status()).toMatchObject({ state: 'reserved' });
  const elsewhere: number[] = [];
  const run = ({ n }: { n: number }): void => void elsewhere.push(n);
  const free = defineWorker({ name: 'free', concurrency: 1, handlers: [handle(job, run)] });
  await advance(4_500);
  await another().client.work(free);
  await advance(12_000);
  expect(elsewhere).toEqual([1]);
  send();
  await advance(5_000);
  expect(begun).toEqual([]);
  expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1, losses: 0 });
});

it('a task that must run alone keeps its lease while the report of its beginning waits, for 60 s', async () => {
  let lost: Awaited<ReturnType<typeof submitLost>> | undefined;
  const { advance, begun, send } = await stalledWorker(async (server) => {
    lost = await submitLost(server, job, 10, 1_000);
  });
  await advance(3_000);
  await advance(55_000);
  expect(await lost?.status()).toMatchObject({ state: 'reserved', losses: 2 });
  await advance(5_000);
  expect(await lost?.status()).toMatchObject({ state: 'scheduled', losses: 2 });
  send();
  await advance(1_000);
  expect(begun).toEqual([]);
  await advance(30_000);
  expect(begun).toEqual([10]);
  expect(await lost?.status()).toMatchObject({ state: 'succeeded', losses: 2 });
});

it.each([
  ['after its deadline', 3_000, 4_000],
  ['more than 5 s after its receipt', 60_000, 6_000],
])(
  'a task whose report is sent %s is not called, although no timer fired meanwhile',
  async (_, deadlineMs, stallMs) => {
    const server = await stalledWorker();
    const { client, advance, begun, send, stall } = server;
    await client.submit(job, { n: 1 }, inMs(server, deadlineMs));
    await advance(100);
    stall();
    await advance(stallMs);
    send();
    await advance(100);
    expect(begun).toEqual([]);
  },
);
