/** Tests tasks whose workers were lost twice: an SDK worker runs each of them with nothing else beside it. */
import { expect, it } from 'vitest';
import type { HeartbeatItem, Settlement } from '../../src/core/messages.ts';
import { type AttemptContext, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { submitLost } from './alone-tasks.ts';
import { type ClientServer, startClientServer } from './client-server.ts';
import { kindsOf } from './working.ts';

const job = defineTask('job', { input: typed<{ n: number }>() });
const short = defineTask('short', { input: typed<{ n: number }>(), timeout: '10s' });
const tenant = 'default';

/** Starts a worker whose handlers end when the test calls `end`. */
async function working(server: ClientServer, concurrency = 4) {
  const running = new Map<number, () => void>();
  const begun: number[] = [];
  const beside = new Map<number, number>();
  const run = async ({ n }: { n: number }, { signal }: AttemptContext): Promise<void> => {
    begun.push(n);
    beside.set(n, running.size);
    await new Promise<void>((resolve, reject) => {
      running.set(n, resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    }).finally(() => running.delete(n));
  };
  const handlers = [handle(job, run), handle(short, run)];
  const worker = await server.client.work(defineWorker({ concurrency, handlers }));
  const end = (...some: number[]): void => {
    for (const n of some) running.get(n)?.();
  };
  return { worker, begun, beside, end };
}

/** Starts a worker that runs the jobs 1 and 2 and waits to run the lost task 10 alone. */
async function waitingAlone(mode: Parameters<typeof startClientServer>[0] = {}) {
  const server = await startClientServer(mode);
  const lost = await submitLost(server, job, 10, 5_000);
  const it = await working(server);
  const beside = [await server.client.submit(job, { n: 1 }), await server.client.submit(job, { n: 2 })];
  await server.advance(7_000);
  expect(it.begun).toEqual([1, 2]);
  expect(await lost.status()).toMatchObject({ state: 'reserved', losses: 2 });
  return { ...server, ...it, server, lost, running: beside };
}

const modes = [
  ['that fetches ahead', {}],
  ['that begins at once', { beginsAtOnce: true }],
] as const;

it.each(modes)(
  'a worker %s begins a lost task once nothing else runs, and nothing beside it',
  async (_, mode) => {
    const { client, lost, begun, beside, end, advance, lines, server } = await waitingAlone(mode);
    expect(lines).toContainEqual({
      level: 'warn',
      fields: expect.objectContaining({ task_id: lost.id, type: 'job', losses: 2, running: 2 }),
      message: expect.stringContaining('the worker begins nothing else until it has ended'),
    });
    await client.submit(job, { n: 3 });
    end(1);
    await advance(1_000);
    expect(begun).toEqual([1, 2]);
    end(2);
    await advance(1_000);
    expect(begun).toEqual([1, 2, 10]);
    expect(beside.get(10)).toBe(0);
    expect(await lost.status()).toMatchObject({ state: 'running' });
    await advance(20_000);
    expect(begun).toEqual([1, 2, 10]);
    end(10);
    await advance(1_000);
    expect(await lost.status()).toMatchObject({ state: 'succeeded', attempt: 1, losses: 2 });
    expect(begun).toEqual([1, 2, 10, 3]);
    end(3);
    const ends = ['leaseExpired', 'claimed', 'leaseExpired', 'claimed', 'snoozed', 'claimed', 'succeeded'];
    expect(await kindsOf(server, lost.id)).toEqual(['submitted', 'claimed', ...ends]);
  },
);

it('a worker reports that a lost task begins, and calls the handler once that is stored', async () => {
  const { begun, end, advance, transport, lost } = await waitingAlone();
  transport.dropReportAnswers = true;
  end(1, 2);
  await advance(2_000);
  expect(begun).toEqual([1, 2]);
  expect(await lost.status()).toMatchObject({ state: 'running' });
  transport.dropReportAnswers = false;
  transport.cut('report');
  await advance(2_000);
  expect(begun).toEqual([1, 2, 10]);
  end(10);
});

it('two lost tasks that arrive together run one after the other', async () => {
  const server = await startClientServer();
  const tasks = [await submitLost(server, job, 10, 5_000), await submitLost(server, job, 11, 5_000)];
  const { begun, beside, end } = await working(server);
  await server.advance(7_000);
  const [first = 0] = begun;
  expect(begun).toEqual([first]);
  end(first);
  await server.advance(1_000);
  expect(begun.toSorted()).toEqual([10, 11]);
  expect([...beside.values()]).toEqual([0, 0]);
  end(10, 11);
  for (const task of tasks) expect(await server.until(task.result())).toBeUndefined();
});

it.each(modes)(
  'a worker %s that is not idle within 60 s gives a lost task back unbegun, takes other tasks, and gets it later each time',
  async (_, mode) => {
    const { client, lost, begun, advance, transport, server, end } = await waitingAlone(mode);
    await advance(50_000);
    expect(await lost.status()).toMatchObject({ state: 'reserved' });
    const heartbeats = transport.sent.flatMap(({ kind, message }) =>
      kind === 'heartbeats' ? (message as { items: HeartbeatItem[] }).items : [],
    );
    expect(heartbeats.filter((item) => !item.begun).length).toBeGreaterThan(3);
    await client.submit(job, { n: 3 });
    await advance(9_000);
    expect(begun).toEqual([1, 2, 3]);
    expect(await lost.status()).toMatchObject({ state: 'scheduled', losses: 2, attempt: 0 });
    const releases = transport.sent.flatMap(({ kind, message }) =>
      kind === 'settlements'
        ? (message as { items: Settlement[] }).items.filter(({ outcome }) => outcome === 'released')
        : [],
    );
    expect(releases.map((one) => one.begun)).toEqual([false]);
    await advance(12_000);
    expect(await lost.status()).toMatchObject({ state: 'reserved' });
    await advance(62_000);
    const runAt = (await lost.status()).runAt?.getTime() ?? 0;
    expect(runAt - server.clock.now()).toBeGreaterThan(10_000);
    expect(begun).toEqual([1, 2, 3]);
    end(1, 2, 3);
    await advance(30_000);
    expect(begun).toEqual([1, 2, 3, 10]);
    end(10);
  },
);

it('a cancel or a pause recalls a lost task that waits, and the worker goes on with other tasks', async () => {
  for (const recall of ['cancel', 'pause'] as const) {
    const { client, lost, begun, advance, node, end } = await waitingAlone();
    if (recall === 'cancel') await lost.cancel();
    else await node.service.updateQueue({ tenant, queue: 'default' }, { paused: true }, 'me');
    await advance(200);
    expect((await lost.status()).state).toBe(recall === 'cancel' ? 'cancelled' : 'ready');
    await client.submit(job, { n: 3 });
    if (recall === 'pause') {
      end(1, 2);
      await node.service.updateQueue({ tenant, queue: 'default' }, { paused: false }, 'me');
    }
    await advance(2_000);
    expect(begun).toEqual(recall === 'cancel' ? [1, 2, 3] : [1, 2, 10]);
    end(1, 2, 3, 10);
  }
});

it('a drain gives a lost task back that waits, without a loss, and it is ready at once', async () => {
  const { worker, lost, begun, end, until } = await waitingAlone();
  const drained = worker.drain();
  end(1, 2);
  expect(await until(drained)).toMatchObject({ finished: 2, released: 0, unanswered: 0 });
  expect(begun).toEqual([1, 2]);
  expect(await lost.status()).toMatchObject({ state: 'ready', losses: 2 });
});

it('a cut gives a lost task back that waits, without a loss and without a wait', async () => {
  const { lost, node, transport, advance, end } = await waitingAlone();
  transport.cut('work');
  transport.unreachable = true;
  await advance(3_000);
  const { head } = (await node.service.get(tenant, lost.id, false)).snapshot;
  expect(head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, losses: 2 });
  transport.unreachable = false;
  await advance(6_000);
  end(1, 2);
});

it('a lost task that has waited keeps its whole attempt timeout', async () => {
  const server = await startClientServer();
  const lost = await submitLost(server, short, 10, 5_000);
  const { begun, end } = await working(server);
  await server.client.submit(job, { n: 1 });
  await server.advance(50_000);
  end(1);
  await server.advance(9_000);
  expect(begun).toEqual([1, 10]);
  expect(await lost.status()).toMatchObject({ state: 'running' });
  end(10);
  await server.advance(500);
  expect(await lost.status()).toMatchObject({ state: 'succeeded' });
});

it('a handler is called only once its begin is stored if an earlier assignment was not acknowledged', async () => {
  const server = await startClientServer();
  const task = await server.client.submit(job, { n: 1 });
  const hello = {
    ...{ tenant, workerName: 'gone', workerId: '1', queues: ['default'], tasks: 1, bytes: 1_000 },
    ...{ types: [{ type: 'job', maxVersion: 1 }], reportsBegun: true },
  };
  // The first worker ends before it acknowledges the assignment, as one does whose handler ends the process at once.
  const session = server.node.service.openSession(hello, { assign() {}, cancel() {}, drain() {} });
  await server.advance(100);
  session.close();
  await server.advance(3_000);
  expect(await task.status()).toMatchObject({ state: 'ready', losses: 0 });
  server.transport.dropReportAnswers = true;
  const { begun, end } = await working(server);
  await server.advance(2_000);
  expect(begun).toEqual([]);
  expect(await task.status()).toMatchObject({ state: 'running' });
  server.transport.dropReportAnswers = false;
  server.transport.cut('report');
  await server.advance(2_000);
  expect(begun).toEqual([1]);
  end(1);
  await server.advance(500);
  expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
});
