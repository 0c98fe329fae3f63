import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { seededRandom } from '../../../src/testing/random.ts';
import { queue } from '../../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type GrowingNode, GrowingSite, idsOf } from './growing-table.ts';

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

/** A node lives for so long, with a beat every few seconds. */
async function live(site: GrowingSite, node: GrowingNode, ms: number): Promise<void> {
  for (let lived = 0; lived < ms; lived += 8 * second) {
    await site.clock.advance(8 * second);
    await node.beat();
  }
}

test('while shards are added every task is listed once, made ready when it is due, and found by the reconciler', async () => {
  const site = await GrowingSite.open(dynoxide.endpoint);
  const quick = await site.node('quick');
  const slow = await site.node('slow', { offsetMs: 1_500 });
  const delayed = { options: { delayMs: 20 * minute } };
  const both = async (node: GrowingNode): Promise<void> => {
    await node.accept(20);
    await node.accept(20, delayed);
  };
  await both(quick);
  await both(slow);
  await live(site, slow, 11 * minute);
  // How far it has come is remembered from here on.
  await slow.reconcile();

  await site.grow({ list: 7, due: 13 });
  await both(quick);
  await both(slow);
  await quick.beat();
  expect(slow.parts.store.dueShards).toBe(8);
  await both(quick);
  await live(site, quick, 110 * second);
  await both(quick);
  expect(await site.entriesFrom('list', 4, 7)).toBe(0);
  expect(await site.entriesFrom('due', 8, 13)).toBe(0);
  await live(site, quick, 60 * second);
  await both(quick);
  expect(await site.entriesFrom('list', 4, 7)).toBeGreaterThan(0);
  expect(await site.entriesFrom('due', 8, 13)).toBeGreaterThan(0);

  // The quick one is gone; the slow one was held up all the while, and knows nothing of it.
  await site.clock.advance(hour);
  expect(slow.shares).toEqual([]);
  await slow.beat();
  expect(slow.shares).toEqual(Array.from({ length: 13 }, (_, shard) => shard));
  await both(slow);
  expect(idsOf(await slow.list(7))).toEqual(site.accepted.toSorted());
  await site.clock.advance(20 * minute + 2 * second);
  await slow.beat();
  await slow.sweep();
  await slow.reconcile();
  const tasks = await slow.list();
  expect(tasks).toHaveLength(site.accepted.length);
  expect(tasks.filter(({ head }) => head.waitUntilMs !== undefined)).toEqual([]);
  expect(tasks.filter(({ id }) => !site.brokerEngine.hasMessage(id))).toEqual([]);
});

/** Any of three nodes does something, or nothing for a while; whoever lists must find everything. */
async function disorder(seed: number): Promise<void> {
  const site = await GrowingSite.open(dynoxide.endpoint);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * most);
  const offsets = [-2 * second, 0, 2 * second];
  const nodes = await Promise.all(offsets.map((offsetMs, i) => site.node(`node-${i}`, { offsetMs })));
  let counts = { list: 4, due: 8 };
  for (let step = 0; step < 100; step++) {
    // Now and then for so long that whoever did nothing knows little.
    const waited = random() < 0.1 ? 150 * second : 12 * second;
    await site.clock.advance(upTo(waited));
    const node = nodes[upTo(nodes.length)] as GrowingNode;
    const what = random();
    if (what < 0.4) await node.accept(4, random() < 0.5 ? {} : { options: { delayMs: 2 * hour } });
    else if (what < 0.6) await node.beat();
    else if (what < 0.67 && counts.list < 60) {
      counts = { list: counts.list + upTo(4), due: counts.due + upTo(4) };
      await site.grow(counts);
    } else expect(idsOf(await node.list()), `seed ${seed}, step ${step}`).toEqual(site.accepted.toSorted());
  }
  expect(await site.entriesFrom('list', 4, counts.list), `seed ${seed}`).toBeGreaterThan(0);
  await site.clock.advance(3 * hour);
  for (let i = 0; i < 3; i++) for (const node of nodes) await node.beat();
  for (const node of nodes) await node.sweep();
  const tasks = await (nodes[0] as GrowingNode).list();
  expect(tasks.filter(({ head }) => head.waitUntilMs !== undefined)).toEqual([]);
}

test.each([1, 2, 3])(
  'whatever nodes do and however long they do nothing, nothing is missed (seed %i)',
  disorder,
);

test('a list that was begun before goes on after: each task once', async () => {
  const site = await GrowingSite.open(dynoxide.endpoint);
  const [reader, writer] = [await site.node('reader'), await site.node('writer')];
  const known = await writer.accept(30);
  const begun = await reader.parts.store.list(queue, {
    limit: 10,
    cursor: undefined,
    nowMs: reader.clock.now(),
  });
  await site.grow({ list: 9 });
  await live(site, writer, 5 * minute);
  await writer.accept(30);
  expect(await site.entriesFrom('list', 4, 9)).toBeGreaterThan(0);
  const items = [...begun.items];
  for (let { cursor } = begun; cursor !== undefined; ) {
    const page = await reader.parts.store.list(queue, { limit: 10, cursor, nowMs: reader.clock.now() });
    items.push(...page.items);
    cursor = page.cursor;
  }
  expect(idsOf(items)).toEqual(known.toSorted());
});

test('a process that cannot ask writes where everybody looks, and refuses to list rather than list less', async () => {
  const site = await GrowingSite.open(dynoxide.endpoint);
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  onTestFinished(() => proxy.close());
  const [well, deaf] = [await site.node('well'), await site.node('deaf', { endpoint: proxy.url })];
  await deaf.list();
  proxy.hook({
    beforeRequest: (_, { keys }) => (keys.some((key) => key.includes('REG#shards')) ? denied() : undefined),
  });
  await site.grow({ list: 9, due: 12 });
  await live(site, well, 5 * minute);
  await well.accept(30);
  expect(await site.entriesFrom('list', 4, 9)).toBeGreaterThan(0);
  await deaf.accept(30, { options: { delayMs: hour } });
  await expect(deaf.list()).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
  await expect(deaf.beat()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await site.entriesFrom('due', 8, 12)).toBe(0);
  expect(idsOf(await well.list())).toEqual(site.accepted.toSorted());
  proxy.hook({});
  expect(idsOf(await deaf.list())).toEqual(site.accepted.toSorted());
});

test('to know how many there are is one read unit in half a minute, and none while nobody needs it', async () => {
  const site = await GrowingSite.open(dynoxide.endpoint);
  const node = await site.node('node');
  const { meter, store } = node.parts;
  const asked = (): number[] => [meter.of('registry').calls, meter.of('registry').readUnits];
  meter.reset();
  await node.list();
  await store.countDueShards?.();
  await node.accept(5);
  await site.clock.advance(29 * second);
  await node.list();
  expect(asked()).toEqual([1, 1]);
  await site.clock.advance(second);
  await node.list();
  expect(asked()).toEqual([2, 2]);
  await site.clock.advance(hour);
  expect(asked()).toEqual([2, 2]);
  // Whoever writes does not wait for the answer.
  await node.accept(5);
  await expect.poll(asked).toEqual([3, 3]);
});

test('of two that add shards at once neither is lost, and nobody makes fewer or too many', async () => {
  const site = await GrowingSite.open(dynoxide.endpoint);
  await Promise.all([site.grow({ list: 9 }), site.grow({ due: 20 }), site.grow({ list: 7 }).catch(() => {})]);
  const { store, registry } = (await site.node('node')).parts;
  expect(await store.countDueShards?.()).toBe(20);
  const before = { list: 4, due: 8 };
  expect((await registry.get('shards', 'counts'))?.value).toEqual({ list: 9, due: 20, before });
  await expect(site.grow({ due: 19 })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: 'The due index has 20 shards, and 19 were asked for: their number only grows.',
  });
  for (const wrong of [{ list: 65 }, { list: 3 }, { due: 20.5 }]) {
    await expect(site.grow(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
  }
});
