import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Client, connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';

const short = defineTask('short', { input: typed<number>(), output: typed<number>() });
const long = defineTask('long', { input: typed<number>(), output: typed<number>() });
const longMs = 5_000;

function fileStore(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-rebalance-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return `file:${join(dir, 'queue.db')}`;
}

async function served(store: string): Promise<() => Client> {
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const server = await serve({ store, clock: systemClock(), log: silentLog, grpc: free });
  const clients: Client[] = [];
  onTestFinished(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await server.close(0);
  });
  return () => {
    const client = connect(`holdfast+plaintext://127.0.0.1:${server.listening.grpcPort}`);
    clients.push(client);
    return client;
  };
}

async function submitAll(client: Client, task: typeof short | typeof long, count: number) {
  const outcomes = await client.submitMany(
    task as typeof short,
    Array.from({ length: count }, (_, n) => ({ input: n })),
  );
  return outcomes.map((one) => (one.ok ? one.task : expect.fail(one.error.message)));
}

async function releasesOf(client: Client, id: string): Promise<number> {
  const { version: last } = await client.task(id).status();
  let releases = 0;
  for await (const { kind, version } of client.task(id).events()) {
    if (kind === 'claimReleased') releases++;
    if (version >= last) break;
  }
  return releases;
}

/** Starts a worker that runs long tasks, and records when each one begins. */
async function working(client: Client, concurrency: number) {
  const begunAtMs: number[] = [];
  const handlers = [
    handle(short, () => 0),
    handle(long, async () => {
      begunAtMs.push(performance.now());
      await new Promise((resolve) => setTimeout(resolve, longMs));
      return 0;
    }),
  ];
  const worker = await client.work(defineWorker({ handlers, concurrency }));
  onTestFinished(async () => void (await worker.drain({ timeout: 0 })));
  return begunAtMs;
}

describe.each([
  ['SQLite', fileStore],
  ['the memory engine', () => 'memory:'],
])('on %s', (_engine, storeOf) => {
  test('tasks that a busy worker has fetched ahead go to a worker that joins, and no attempt is used', {
    timeout: 120_000,
  }, async () => {
    const client = await served(storeOf());
    const submitter = client();
    const busy = await working(client(), 2);
    // By short tasks the worker learns to fetch far more than it can begin of the long ones.
    await submitAll(submitter, short, 800);
    const tasks = await submitAll(submitter, long, 20);
    await expect.poll(() => busy.length, { timeout: 20_000 }).toBe(2);
    const joinedAtMs = performance.now();
    const free = await working(client(), 8);
    await expect.poll(() => free.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);
    expect(Math.max(...free.slice(0, 8)) - joinedAtMs).toBeLessThan(longMs);
    await Promise.all(tasks.map((task) => task.result()));
    // Ten slots need two rounds; two slots alone would need ten.
    const rounds = (performance.now() - joinedAtMs) / longMs;
    expect(rounds).toBeLessThan(6);
    for (const task of tasks) {
      const status = await submitter.task(task.id).status();
      expect(status).toMatchObject({ state: 'succeeded', attempt: 1 });
    }
    expect(busy.length + free.length).toBe(20);
    const released = await Promise.all(tasks.map(({ id }) => releasesOf(submitter, id)));
    expect(released.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0);
    expect(Math.max(...released)).toBeLessThanOrEqual(3);
  });
});
