import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Client, connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';

const slow = defineTask('slow', { input: typed<{ n: number }>(), output: typed<number>() });
const quick = defineTask('quick', { input: typed<{ n: number }>(), output: typed<number>() });
const other = defineTask('other', { input: typed<{ n: number }>(), output: typed<number>(), queue: 'other' });

/** Starts a server with a listener, and connects a client to it over gRPC. */
async function served(store: string): Promise<Client> {
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const server = await serve({ store, clock: systemClock(), log: silentLog, grpc: free });
  const client = connect(`holdfast+plaintext://127.0.0.1:${server.listening.grpcPort}`);
  onTestFinished(async () => {
    await client.close();
    await server.close(0);
  });
  return client;
}

function fileStore(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-types-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return `file:${join(dir, 'queue.db')}`;
}

async function submitAll(client: Client, task: typeof slow | typeof quick | typeof other, count: number) {
  const outcomes = await client.submitMany(task as typeof slow, inputs(count));
  return outcomes.map((one) => (one.ok ? one.task : expect.fail(one.error.message)));
}

const inputs = (count: number) => Array.from({ length: count }, (_, n) => ({ input: { n } }));

async function kindsOf(client: Client, id: string): Promise<string[]> {
  const kinds: string[] = [];
  const task = await client.task(id).status();
  for await (const { kind, version } of client.task(id).events()) {
    kinds.push(kind);
    if (version >= task.version) break;
  }
  return kinds;
}

/** Starts a worker whose slow tasks wait until `open` is called. Returns how many attempts of each type began. */
async function working(client: Client, concurrency: number) {
  const gate = Promise.withResolvers<void>();
  const begun = { slow: 0, quick: 0 };
  const counted = (type: 'slow' | 'quick', until: Promise<void> | undefined) => async () => {
    begun[type]++;
    await until;
    return 0;
  };
  const handlers = [
    handle(slow, counted('slow', gate.promise), { concurrency: 1 }),
    handle(quick, counted('quick', undefined)),
  ];
  const worker = await client.work(defineWorker({ handlers, concurrency }));
  onTestFinished(async () => {
    gate.resolve();
    await worker.drain();
  });
  return { begun, open: () => gate.resolve() };
}

describe.each([
  ['SQLite', fileStore],
  ['the memory engine', () => 'memory:'],
])('on %s', (_engine, storeOf) => {
  test.each([
    [2, 5, 1],
    [16, 200, 10],
  ])(
    'a worker of %i slots runs quick tasks beside %i slow ones of a type with the limit 1 (%i quick)',
    async (slots, slowCount, quickCount) => {
      const client = await served(storeOf());
      const slowTasks = await submitAll(client, slow, slowCount);
      const quickTasks = await submitAll(client, quick, quickCount);
      const { begun, open } = await working(client, slots);
      await Promise.all(quickTasks.map((task) => task.result()));
      expect(begun).toEqual({ slow: 1, quick: quickCount });
      const [first, ...waiting] = await Promise.all(slowTasks.map(({ id }) => kindsOf(client, id)));
      expect(first).toEqual(['submitted', 'claimed']);
      for (const kinds of waiting) expect(kinds).toEqual(['submitted']);
      open();
      await Promise.all(slowTasks.map((task) => task.result()));
      expect(begun.slow).toBe(slowCount);
    },
  );

  test('a task of a limited type begins in the commit that accepts it, once its type has room', async () => {
    const client = await served(storeOf());
    const { begun, open } = await working(client, 4);
    await (await client.submit(quick, { n: 0 })).result();
    const tasks = [await client.submit(slow, { n: 0 }), await client.submit(slow, { n: 1 })];
    await expect.poll(() => begun.slow).toBe(1);
    expect(await Promise.all(tasks.map(({ id }) => kindsOf(client, id)))).toEqual([
      ['submitted', 'claimed'],
      ['submitted'],
    ]);
    open();
    await Promise.all(tasks.map((task) => task.result()));
    await (await client.submit(slow, { n: 2 })).result();
    expect(begun.slow).toBe(3);
  });

  test('a worker of one slot serves its two queues in turns', async () => {
    const client = await served(storeOf());
    const order: string[] = [];
    const backlog = await submitAll(client, quick, 100);
    const behind = await submitAll(client, other, 5);
    const record = (type: string) => async () => {
      order.push(type);
      return 0;
    };
    const handlers = [handle(quick, record('quick')), handle(other, record('other'))];
    const worker = await client.work(defineWorker({ handlers, concurrency: 1 }));
    onTestFinished(async () => void (await worker.drain()));
    await Promise.all([...backlog, ...behind].map((task) => task.result()));
    expect(order.lastIndexOf('other')).toBeLessThan(12);
  });
});
