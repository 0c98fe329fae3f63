/** Tests how a worker learns of a pause and of a cancellation that went through another node than its own. */
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import { type AttemptContext, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';

const job = defineTask('job', { input: typed<{ ms: number }>(), queue: 'q' });
const ref = { tenant: 'default', queue: 'q' };
/** The interval in which a node reads the settings of the queues that other nodes may have changed. */
const settingsMs = 5_000;
const heartbeatMs = 10_000;

/** Starts two nodes on one store, as on AWS, and a client of each. Workers record when their handlers are called. */
async function twoNodes(beginsAtOnce: boolean) {
  const world = virtualClock();
  const engine = externalMemory({ clock: world });
  const open = async (name: string) => {
    const own = world.process();
    onTestFinished(() => own.kill());
    const node = await startNode({ engine: engine.connect(name), clock: own, log: silentLog, node: name });
    const transport = inProcess({ api: node.api, clock: own });
    return { node, client: createClient(transport, { clock: world, workerName: name, beginsAtOnce }) };
  };
  const [one, other] = [await open('one'), await open('other')];
  const begun: { readonly ms: number; readonly atMs: number; readonly context: AttemptContext }[] = [];
  const work = (concurrency: number) =>
    one.client.work(
      defineWorker({
        concurrency,
        handlers: [
          handle(job, async ({ ms }, context) => {
            begun.push({ ms, atMs: world.monotonic(), context });
            await world.sleep(ms, context.signal);
            context.signal.throwIfAborted();
          }),
        ],
      }),
    );
  const submit = (ms: number, count: number) =>
    other.client.submitMany(
      job,
      Array.from({ length: count }, () => ({ input: { ms } })),
    );
  return { world, one, other, begun, work, submit };
}

it.each([
  ['keeps tasks in a buffer', false],
  ['begins each task at once', true],
])('a worker that %s begins nothing of a queue 5 s after another node has paused it', async (_, atOnce) => {
  const { world, other, begun, work, submit } = await twoNodes(atOnce);
  await submit(700, 100);
  await work(4);
  await world.advance(3_000);
  expect(begun.length).toBeGreaterThan(8);
  await other.node.service.updateQueue(ref, { paused: true }, 'op');
  const pausedAtMs = world.monotonic();
  await world.advance(20_000);
  expect(Math.max(...begun.map(({ atMs }) => atMs))).toBeLessThanOrEqual(pausedAtMs + settingsMs);
  const queue = await other.node.service.queue(ref);
  expect(queue.counts).toMatchObject({ running: 0, reserved: 0 });
  await other.node.service.updateQueue(ref, { paused: false }, 'op');
  await world.advance(60_000);
  expect(begun).toHaveLength(100);
});

it('a task that another node cancels while it waits in a worker, and that begins then, is stopped within a heartbeat', async () => {
  const { world, other, begun, work, submit } = await twoNodes(false);
  await submit(4_000, 1);
  await work(1);
  await world.advance(100);
  const [second] = await submit(600_000, 1);
  await world.advance(500);
  if (second?.ok !== true) throw new Error('the task was refused');
  await other.client.task(second.task.id).cancel();
  const cancelledAtMs = world.monotonic();
  await world.advance(4_000);
  // The worker's own node could not know.
  expect(begun.map(({ ms }) => ms)).toEqual([4_000, 600_000]);
  const { signal } = begun[1]?.context ?? { signal: undefined };
  let abortedAtMs = Number.POSITIVE_INFINITY;
  signal?.addEventListener('abort', () => {
    abortedAtMs = world.monotonic();
  });
  await world.advance(20_000);
  expect(abortedAtMs).toBeLessThanOrEqual(cancelledAtMs + heartbeatMs);
  expect((await other.client.task(second.task.id).status()).state).toBe('cancelled');
});
