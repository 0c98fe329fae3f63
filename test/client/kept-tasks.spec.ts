/** Tests tasks that a worker kept over a drain of its server and has not begun: its new node can recall them. */
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Transport } from '../../src/client/transport.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { submitLost } from './alone-tasks.ts';

const tenant = 'default';
const job = defineTask('job', { input: typed<{ n: number }>() });
const ref = { tenant, queue: 'default' };
const longMs = 40_000;

/** Starts two nodes on one store and a worker at the first one. */
async function twoNodes(concurrency: number, prepare: (at: Prepared) => Promise<void>) {
  const world = virtualClock();
  const engine = externalMemory({ clock: world });
  const open = async (name: string) => {
    const own = world.process();
    onTestFinished(() => own.kill());
    const node = await startNode({ engine: engine.connect(name), clock: own, log: silentLog, node: name });
    return { node, transport: inProcess({ api: node.api, clock: own }) };
  };
  const [one, other] = [await open('one'), await open('other')];
  const admin = createClient(other.transport, { clock: world, workerName: 'admin' });
  await prepare({ node: other.node, client: admin, advance: (ms) => world.advance(ms) });
  let current: Transport = one.transport;
  const transport: Transport = {
    submit: (...args) => current.submit(...args),
    call: (...args) => current.call(...args),
    watch: (...args) => current.watch(...args),
    work: (events) => current.work(events),
    report: (events) => current.report(events),
    close: async () => {},
  };
  const begun: number[] = [];
  const run = async ({ n }: { n: number }): Promise<void> => {
    begun.push(n);
    await world.sleep(longMs);
  };
  const client = createClient(transport, { clock: world, workerName: 'w' });
  await client.work(defineWorker({ concurrency, handlers: [handle(job, run)] }));
  /** Stops the first node; the worker's new streams go to the other one. */
  const move = async (): Promise<void> => {
    current = other.transport;
    const closing = one.node.close(2_000);
    await world.advance(1_000);
    await closing;
  };
  return { world, node: other.node, admin, begun, move };
}

type Prepared = Parameters<typeof submitLost>[0];

/** Starts a worker that keeps the lost task 10 beside a long one. */
async function keepingLost() {
  let lost: Awaited<ReturnType<typeof submitLost>> | undefined;
  const it = await twoNodes(4, async (at) => {
    lost = await submitLost(at, job, 10, 5_000);
  });
  await it.admin.submit(job, { n: 1 });
  await it.world.advance(8_000);
  const status = () => lost?.status() ?? expect.fail('nothing was submitted');
  expect(it.begun).toEqual([1]);
  expect(await status()).toMatchObject({ state: 'reserved' });
  return { ...it, status, id: lost?.id ?? '' };
}

it('a lost task that a worker kept over a drain of its node does not begin after a pause at the new node', async () => {
  const { world, node, begun, move, status } = await keepingLost();
  await move();
  expect(await status()).toMatchObject({ state: 'reserved', worker: expect.stringMatching(/^w\//) });
  await node.service.updateQueue(ref, { paused: true }, 'op');
  await world.advance(500);
  expect(await status()).toMatchObject({ state: 'ready', losses: 2 });
  await world.advance(longMs);
  expect(begun).toEqual([1]);
  await node.service.updateQueue(ref, { paused: false }, 'op');
  await world.advance(30_000);
  expect(begun).toEqual([1, 10]);
});

it('a lost task that a worker kept begins at the new node, and is running there', async () => {
  const { world, begun, move, status } = await keepingLost();
  await move();
  await world.advance(35_000);
  expect(begun).toEqual([1, 10]);
  expect(await status()).toMatchObject({ state: 'running', losses: 2 });
  await world.advance(longMs);
  expect(await status()).toMatchObject({ state: 'succeeded', attempt: 1, losses: 2 });
});

it('a lost task that was cancelled while its worker had no stream is given back on the new one', async () => {
  const { world, admin, begun, move, status, id } = await keepingLost();
  await admin.task(id).cancel();
  await move();
  expect(await status()).toMatchObject({ state: 'cancelled' });
  await world.advance(longMs);
  expect(begun).toEqual([1]);
});

it('a fetched task that a worker kept over a drain of its node does not begin after a pause at the new node', async () => {
  const { world, node, admin, begun, move } = await twoNodes(1, async () => {});
  await admin.submit(job, { n: 1 });
  await world.advance(longMs - 3_000);
  const next = await admin.submit(job, { n: 2 });
  await world.advance(100);
  expect(await next.status()).toMatchObject({ state: 'reserved' });
  await move();
  expect(await next.status()).toMatchObject({ state: 'reserved' });
  await node.service.updateQueue(ref, { paused: true }, 'op');
  await world.advance(500);
  expect(await next.status()).toMatchObject({ state: 'ready' });
  await world.advance(longMs);
  expect(begun).toEqual([1]);
});
