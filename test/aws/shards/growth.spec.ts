import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { seededRandom } from '../../../src/testing/random.ts';
import { queue } from '../../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type GrowingNode, GrowingTable, idsOf } from './growing-table.ts';

vi.setConfig({ testTimeout: 60_000 });

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

const denied = () =>
  answerOf(400, { __type: 'com.amazonaws.dynamodb.v20120810#AccessDeniedException', message: 'not yours' });

/** Lets a node run for `ms` milliseconds of virtual time, with a heartbeat every eight seconds. */
async function live(table: GrowingTable, node: GrowingNode, ms: number): Promise<void> {
  for (let lived = 0; lived < ms; lived += 8 * second) {
    await table.clock.advance(8 * second);
    await node.heartbeat();
  }
}

test('while shards are added, every task is listed once, becomes ready when due, and is found by the reconciler', async () => {
  const table = await GrowingTable.open(dynoxide.endpoint);
  const quick = await table.node('quick');
  const slow = await table.node('slow', { offsetMs: 1_500 });
  const delayed = { options: { delayMs: 20 * minute } };
  const both = async (node: GrowingNode): Promise<void> => {
    await node.accept(20);
    await node.accept(20, delayed);
  };
  await both(quick);
  await both(slow);
  await live(table, slow, 11 * minute);
  // From this call on, the registry stores the position of the reconciler.
  await slow.reconcile();

  await table.grow({ list: 7, due: 13 });
  await both(quick);
  await both(slow);
  await quick.heartbeat();
  expect(slow.parts.store.dueShards).toBe(8);
  await both(quick);
  await live(table, quick, 110 * second);
  await both(quick);
  expect(await table.countEntriesFrom('list', 4, 7)).toBe(0);
  expect(await table.countEntriesFrom('due', 8, 13)).toBe(0);
  await live(table, quick, 60 * second);
  await both(quick);
  expect(await table.countEntriesFrom('list', 4, 7)).toBeGreaterThan(0);
  expect(await table.countEntriesFrom('due', 8, 13)).toBeGreaterThan(0);

  // The node `quick` has ended. The node `slow` was stopped all this time and has not read the new shard counts.
  await table.clock.advance(hour);
  expect(slow.shards).toEqual([]);
  await slow.heartbeat();
  expect(slow.shards).toEqual(Array.from({ length: 13 }, (_, shard) => shard));
  await both(slow);
  expect(idsOf(await slow.list(7))).toEqual(table.acceptedIds.toSorted());
  await table.clock.advance(20 * minute + 2 * second);
  await slow.heartbeat();
  await slow.sweep();
  await slow.reconcile();
  const tasks = await slow.list();
  expect(tasks).toHaveLength(table.acceptedIds.length);
  expect(tasks.filter(({ head }) => head.waitUntilMs !== undefined)).toEqual([]);
  expect(tasks.filter(({ id }) => !table.brokerEngine.hasMessage(id))).toEqual([]);
});

/**
 * Lets three nodes act at random or pause while shards are added. Every list must contain all tasks accepted so far.
 */
async function disorder(seed: number): Promise<void> {
  const table = await GrowingTable.open(dynoxide.endpoint);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * most);
  const offsets = [-2 * second, 0, 2 * second];
  const nodes = await Promise.all(offsets.map((offsetMs, i) => table.node(`node-${i}`, { offsetMs })));
  let counts = { list: 4, due: 8 };
  for (let step = 0; step < 100; step++) {
    // Sometimes the time before the next step is long enough that the cached shard counts of an idle node are out of
    // date.
    const waited = random() < 0.1 ? 150 * second : 12 * second;
    await table.clock.advance(upTo(waited));
    const node = nodes[upTo(nodes.length)] as GrowingNode;
    const what = random();
    if (what < 0.4) await node.accept(4, random() < 0.5 ? {} : { options: { delayMs: 2 * hour } });
    else if (what < 0.6) await node.heartbeat();
    else if (what < 0.67 && counts.list < 60) {
      counts = { list: counts.list + upTo(4), due: counts.due + upTo(4) };
      await table.grow(counts);
    } else
      expect(idsOf(await node.list()), `seed ${seed}, step ${step}`).toEqual(table.acceptedIds.toSorted());
  }
  expect(await table.countEntriesFrom('list', 4, counts.list), `seed ${seed}`).toBeGreaterThan(0);
  await table.clock.advance(3 * hour);
  for (let i = 0; i < 3; i++) for (const node of nodes) await node.heartbeat();
  for (const node of nodes) await node.sweep();
  const tasks = await (nodes[0] as GrowingNode).list();
  expect(tasks.filter(({ head }) => head.waitUntilMs !== undefined)).toEqual([]);
}

test.each([1, 2, 3])(
  'while shards are added, nodes that act and pause at random miss no task (seed %i)',
  disorder,
);

test('a paged list that began before shards were added returns each task once', async () => {
  const table = await GrowingTable.open(dynoxide.endpoint);
  const [reader, writer] = [await table.node('reader'), await table.node('writer')];
  const known = await writer.accept(30);
  const begun = await reader.parts.store.list(queue, {
    limit: 10,
    cursor: undefined,
    nowMs: reader.clock.now(),
  });
  await table.grow({ list: 9 });
  await live(table, writer, 5 * minute);
  await writer.accept(30);
  expect(await table.countEntriesFrom('list', 4, 9)).toBeGreaterThan(0);
  const items = [...begun.items];
  for (let { cursor } = begun; cursor !== undefined; ) {
    const page = await reader.parts.store.list(queue, { limit: 10, cursor, nowMs: reader.clock.now() });
    items.push(...page.items);
    cursor = page.cursor;
  }
  expect(idsOf(items)).toEqual(known.toSorted());
});

test('a process that cannot read the shard counts writes to the old shards and refuses to list', async () => {
  const table = await GrowingTable.open(dynoxide.endpoint);
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  onTestFinished(() => proxy.close());
  const [well, uninformed] = [await table.node('well'), await table.node('deaf', { endpoint: proxy.url })];
  await uninformed.list();
  proxy.hook({
    beforeRequest: (_, { keys }) => (keys.some((key) => key.includes('REG#shards')) ? denied() : undefined),
  });
  await table.grow({ list: 9, due: 12 });
  await live(table, well, 5 * minute);
  await well.accept(30);
  expect(await table.countEntriesFrom('list', 4, 9)).toBeGreaterThan(0);
  await uninformed.accept(30, { options: { delayMs: hour } });
  await expect(uninformed.list()).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  await expect(uninformed.heartbeat()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await table.countEntriesFrom('due', 8, 12)).toBe(0);
  expect(idsOf(await well.list())).toEqual(table.acceptedIds.toSorted());
  proxy.hook({});
  expect(idsOf(await uninformed.list())).toEqual(table.acceptedIds.toSorted());
});

test('reading the shard counts costs one read unit in half a minute, and nothing while nobody needs them', async () => {
  const table = await GrowingTable.open(dynoxide.endpoint);
  const node = await table.node('node');
  const { meter, store } = node.parts;
  const usage = (): number[] => [meter.of('registry').calls, meter.of('registry').readUnits];
  meter.reset();
  await node.list();
  await store.countDueShards?.();
  await node.accept(5);
  await table.clock.advance(29 * second);
  await node.list();
  expect(usage()).toEqual([1, 1]);
  await table.clock.advance(second);
  await node.list();
  expect(usage()).toEqual([2, 2]);
  await table.clock.advance(hour);
  expect(usage()).toEqual([2, 2]);
  // A write does not wait for the fetch of the shard counts.
  await node.accept(5);
  await expect.poll(usage).toEqual([3, 3]);
});

test('two processes that add shards at the same time both succeed; too few or too many shards are refused', async () => {
  const table = await GrowingTable.open(dynoxide.endpoint);
  await Promise.all([
    table.grow({ list: 9 }),
    table.grow({ due: 20 }),
    table.grow({ list: 7 }).catch(() => {}),
  ]);
  const { store, registry } = (await table.node('node')).parts;
  expect(await store.countDueShards?.()).toBe(20);
  const before = { list: 4, due: 8 };
  expect((await registry.get('shards', 'counts'))?.value).toEqual({ list: 9, due: 20, before });
  await expect(table.grow({ due: 19 })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'The due index has 20 shards, and 19 were requested: their number only grows.',
  });
  for (const wrong of [{ list: 65 }, { list: 3 }, { due: 20.5 }]) {
    await expect(table.grow(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
  }
});
