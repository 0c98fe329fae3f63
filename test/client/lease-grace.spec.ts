/** Tests how leases expire in a node that has just started or was stalled, with a worker that is alive or dead. */
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import { type MemoryEngine, memory } from '../../src/engines/memory/index.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { stallingClock } from '../fixtures/stalling-clock.ts';
import { BreakableTransport } from './client-server.ts';

const job = defineTask('job', { input: typed<{ ms: number }>() });

/**
 * Starts one process of a node on a store. Its clock can be stalled. The store outlives the process, as a file does.
 * The worker has a slot for the task of each test and one more.
 */
async function startProcess(engine: MemoryEngine, world: ReturnType<typeof virtualClock>, name: string) {
  const own = world.process();
  const clock = stallingClock(own);
  const node = await startNode({ engine: engine.connect(name), clock, log: silentLog, node: name });
  const another = () => {
    const transport = new BreakableTransport(inProcess({ api: node.api, clock }));
    const client = createClient(transport, { clock: world, workerName: name });
    const work = () =>
      client.work(defineWorker({ concurrency: 2, handlers: [handle(job, ({ ms }) => world.sleep(ms))] }));
    return { transport, client, work };
  };
  onTestFinished(() => own.kill());
  return { clock, another, kill: () => own.kill() };
}

const kinds = async (engine: MemoryEngine, id: string): Promise<string[]> =>
  (await engine.store.history(id, 0)).map(({ kind }) => kind);

const stores = [
  { broker: 'a transactional broker', open: memory },
  { broker: 'an external broker', open: externalMemory },
];

it.each(stores)(
  'a task whose node stalled for 40 s keeps its lease, and its worker renews it, with $broker',
  async ({ open }) => {
    const world = virtualClock();
    const engine = open({ clock: world });
    const { clock, another } = await startProcess(engine, world, 'one');
    const { client, transport, work } = another();
    await work();
    const task = await client.submit(job, { ms: 100_000 });
    await another().work();
    await world.advance(20_000);
    clock.stall();
    transport.unreachable = true;
    transport.cut('work');
    transport.cut('report');
    await world.advance(40_000);
    clock.resume();
    await world.advance(100);
    transport.unreachable = false;
    await world.advance(50_000);
    expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed', 'succeeded']);
  },
);

it.each(stores)(
  'a task of a dead worker is hidden until the grace of a stalled node ends, then taken over, with $broker',
  async ({ open }) => {
    const world = virtualClock();
    const engine = open({ clock: world });
    const { clock, another } = await startProcess(engine, world, 'one');
    const dead = another();
    await dead.work();
    const task = await dead.client.submit(job, { ms: 500 * 1_000 });
    await world.advance(1_000);
    dead.transport.unreachable = true;
    dead.transport.cut('work');
    dead.transport.cut('report');
    const alive = another();
    await alive.work();
    await world.advance(10_000);
    clock.stall();
    await world.advance(40_000);
    clock.resume();
    await world.advance(14_900);
    expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed']);
    await world.advance(4_000);
    expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed', 'leaseExpired', 'claimed']);
  },
);

it('a task of a dead worker is not recorded as expired before the grace of a stalled node ends', async () => {
  const world = virtualClock();
  const engine = memory({ clock: world });
  const { clock, another } = await startProcess(engine, world, 'one');
  const dead = another();
  await dead.work();
  const task = await dead.client.submit(job, { ms: 500 * 1_000 });
  await world.advance(1_000);
  dead.transport.unreachable = true;
  dead.transport.cut('work');
  dead.transport.cut('report');
  await world.advance(20_000);
  clock.stall();
  await world.advance(30_000);
  clock.resume();
  await world.advance(14_900);
  expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed']);
  await world.advance(2_100);
  expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed', 'leaseExpired']);
});

it.each(stores)(
  'a task of a dead worker is back within 50 s of its last heartbeat if its node is killed and starts again, with $broker',
  async ({ open }) => {
    const world = virtualClock();
    const engine = open({ clock: world });
    const first = await startProcess(engine, world, 'one');
    const dead = first.another();
    await dead.work();
    const task = await dead.client.submit(job, { ms: 500 * 1_000 });
    await world.advance(1_000);
    dead.transport.unreachable = true;
    dead.transport.cut('work');
    dead.transport.cut('report');
    await world.advance(28_000);
    first.kill();
    await world.advance(2_000);
    const second = await startProcess(engine, world, 'two');
    await second.another().work();
    await world.advance(14_000);
    expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed']);
    await world.advance(5_000);
    expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed', 'leaseExpired', 'claimed']);
  },
);

it('a task of a dead worker is taken over within 35 s if its node neither started nor stalled meanwhile', async () => {
  const world = virtualClock();
  const engine = memory({ clock: world });
  const { another } = await startProcess(engine, world, 'one');
  const dead = another();
  await dead.work();
  await world.advance(60_000);
  const task = await dead.client.submit(job, { ms: 500 * 1_000 });
  await world.advance(1_000);
  dead.transport.unreachable = true;
  dead.transport.cut('work');
  dead.transport.cut('report');
  await another().work();
  await world.advance(34_000);
  expect(await kinds(engine, task.id)).toEqual(['submitted', 'claimed', 'leaseExpired', 'claimed']);
});
