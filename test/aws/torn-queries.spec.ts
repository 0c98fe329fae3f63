/**
 * Queries beside a transaction of which they show only some items (`tear` of the DynamoDB proxy). The seed of each test's
 * proxy makes the items visible in exactly one order.
 */
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { addressOf, slotOf } from '../../src/engines/aws/table/schema/ids.ts';
import { anchorKey, headKey, type Key } from '../../src/engines/aws/table/schema/keys.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService } from '../../src/service/create-service.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { queue } from '../contract/submissions.ts';
import { item, specOf } from '../fixtures/api-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { seedOfOrder } from '../stand-ins/proxy/torn-order.ts';
import { openEngineOnTable } from './engine-on-table.ts';

const orderingKey = 'ann';
const soon = { interval: 5, timeout: 5_000 };

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

/**
 * Opens an engine behind a proxy. After `tear()`, the call `n` is torn if it is a transaction, and its writes at the positions
 * in `order` become visible in this order within a second.
 */
async function openTorn(n: number, order: readonly number[]) {
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: seedOfOrder(n, order) });
  const engine = await openEngineOnTable(proxy.url);
  onTestFinished(async () => {
    await proxy.caughtUp();
    await engine.close();
    await proxy.close();
  });
  const { fixture } = engine;
  const lane = fixture.lane(orderingKey);
  const tear = async (): Promise<void> => {
    await proxy.set({ tear: { share: 1, upToMs: 1_000 } });
    proxy.restartCount();
  };
  const stored = async (key: Key) => {
    const get = { TableName: engine.table, Key: { ...key }, ConsistentRead: true };
    return (await engine.parts.client.send(new GetItemCommand(get))).Item;
  };
  /** Resolves when the transaction has arrived at the proxy. A read before it would change the transaction's number. */
  const transaction = (): Promise<void> =>
    expect
      .poll(() => proxy.calls.some(({ operation }) => operation === 'TransactWriteItems'), soon)
      .toBe(true);
  /** Another process on the same table, which does not know what the first one knows. */
  const other = engine.another().store;
  const lowest = async () => (await other.lowest(lane))?.seq;
  return { ...engine, fixture, lane, tear, transaction, stored, other, lowest };
}

/** The positions of the three pointers in the transaction that accepts three ready tasks of a lane. */
const pointer = { first: 1, second: 3, third: 5 } as const;
/** The position of the third task's head in it. */
const headOfThird = 4;

test('a query shows a later place of a lane before an earlier one, but only the first place may start', async () => {
  const { fixture, lane, tear, transaction, other, lowest } = await openTorn(2, [
    pointer.third,
    pointer.second,
    pointer.first,
  ]);
  await tear();
  const accepting = fixture.acceptMany(3, () => ({ orderingKey }));
  await transaction();
  for (const seq of [3, 2]) {
    await expect.poll(lowest, soon).toBe(seq);
    expect(await other.isFirst(lane, seq)).toBe(false);
    expect(await other.isFirst(lane, 1)).toBe(true);
  }
  const tasks = await accepting;
  expect(await lowest()).toBe(1);
  for (const [i, { id, laneSeq }] of tasks.entries()) {
    expect(await Promise.all([1, 2, 3].map((seq) => other.isFirst(lane, seq)))).toEqual(
      [1, 2, 3].map((seq) => seq <= i + 1),
    );
    await other.leaveLane(lane, id, laneSeq, true);
  }
});

test('a worker that receives the message of a later task of a batch, which a query showed as the first, does not start it', async () => {
  // A worker that cannot read the head yet would not judge the order; it would hide the message as one of an unknown task.
  const { tear, transaction, lowest, clock, parts, other, lane } = await openTorn(2, [
    headOfThird,
    pointer.third,
    pointer.second,
    pointer.first,
  ]);
  const memory = externalMemory({ clock });
  const options = { registry: parts.registry, broker: memory.broker, clock, log: silentLog };
  const nodeOf = (node: string, store: typeof other) =>
    createService({ ...options, node, store, createQueues: true });
  const [submitter, worker] = await Promise.all([nodeOf('a', parts.store), nodeOf('b', other)]);
  await submitter.context.queues.ensure(queue);
  await tear();
  const items = ['a', 'b', 'c'].map((key) => item(key, { spec: specOf('{}', 'note', orderingKey) }));
  const submitting = submitter.service.submit(queue, items, { notAfterMs: undefined });
  await transaction();
  await expect.poll(lowest, soon).toBe(3);
  const third = (await other.lowest(lane))?.id ?? '';
  const message = { id: third, queue, type: 'note', typeVersion: 1, version: 1 } as const;
  await memory.broker.send([{ ...message, priority: 'normal', reason: 'submit' }]);
  const claim = () =>
    worker.service.claim({
      ...{ tenant: queue.tenant, queues: [queue.queue], types: [{ type: 'note', maxVersion: 1 }] },
      ...{ maxTasks: 1, workerName: 'w', workerId: '1', waitMs: 0, requestId: '' },
      signal: new AbortController().signal,
    });
  expect(await claim()).toEqual([]);
  await submitting;
  const ran: string[] = [];
  for (let task = (await claim())[0]; task !== undefined; task = (await claim())[0]) {
    ran.push(task.key);
    const succeeded = { lease: task.lease, outcome: 'succeeded', result: undefined, message: '' } as const;
    const settlement = { ...succeeded, errorType: '', afterMs: undefined, begun: false };
    await worker.service.settle([settlement], { tenant: queue.tenant, sessionId: undefined });
    await worker.settled();
  }
  expect(ran).toEqual(['a', 'b', 'c']);
});

test('a task that is cancelled in the middle of its lane leaves only when the place before it is visible', async () => {
  const { fixture, lane, tear, transaction, other, lowest } = await openTorn(2, [
    pointer.second,
    pointer.third,
    pointer.first,
  ]);
  await tear();
  const accepting = fixture.acceptMany(3, () => ({ orderingKey }));
  await transaction();
  await expect.poll(lowest, soon).toBe(2);
  const second = (await other.lowest(lane))?.id ?? '';
  let left = false;
  const leaving = other.leaveLane(lane, second, 2).then(() => {
    left = true;
  });
  while (!left) expect(await other.isFirst(lane, 3)).toBe(false);
  await Promise.all([leaving, accepting]);
  expect(await other.isFirst(lane, 3)).toBe(false);
  expect(await lowest()).toBe(1);
});

test('a redriven task whose new place no query shows yet is first if no earlier place is taken', async () => {
  const { fixture, lane, tear, transaction, other, lowest, stored } = await openTorn(2, [0, 2]);
  const dead = await fixture.die(await fixture.accept({ orderingKey }));
  await fixture.store.leaveLane(lane, dead.id, dead.laneSeq);
  const handedOver = await fixture.finishHandOver(dead);
  await tear();
  const redriving = fixture.redrive(handedOver, true);
  await transaction();
  const address = addressOf(dead.id) ?? expect.fail();
  await expect.poll(async () => (await stored(headKey(address)))?.q?.N, soon).toBe('2');
  expect(await lowest()).toBeUndefined();
  expect(await other.isFirst(lane, 2)).toBe(true);
  await redriving;
  expect(await lowest()).toBe(2);
});

test('no third task gets an idempotency key while the submission of the second is not visible yet', async () => {
  const { fixture, tear, transaction, other, stored, clock } = await openTorn(3, [1, 0]);
  const request = { key: 'k', options: { windowMs: 60_000 } };
  const first = await fixture.cancel(await fixture.accept(request));
  await clock.advance(60_000);
  await tear();
  const accepting = fixture.accept(request);
  await transaction();
  const slot = slotOf(first.submission.scope);
  await expect.poll(async () => (await stored(anchorKey(slot)))?.g, soon).toBeDefined();
  const [again] = await other.accept([fixture.acceptance(request)]);
  const found = await other.byKey(first.submission.scope, clock.now());
  const second = await accepting;
  expect(again).toMatchObject({ kind: 'existing', snapshot: { id: second.id } });
  expect([first.id, second.id]).toContain(found?.id);
});
