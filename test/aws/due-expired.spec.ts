/**
 * Tests due entries of expired tasks, which TTL may delete days late: a read of due tasks skips these entries and
 * deletes the heads of the expired tasks.
 */
import { DeleteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { defaultShards } from '../../src/engines/aws/table/schema/definition.ts';
import { addressOf, shardOf, slotOf } from '../../src/engines/aws/table/schema/ids.ts';
import { duePartition, keyNames, submissionKey } from '../../src/engines/aws/table/schema/keys.ts';
import type { DueEntry, Snapshot } from '../../src/ports/task-store.ts';
import { queue } from '../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

const shard = 0;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const brief = { windowMs: minuteMs, lifetimeMs: minuteMs, retentionMs: 1 };
/** Time in ms after which a task with the options `brief` has expired. */
const expiresAfterMs = minuteMs + hourMs;

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  engine = await openEngineOnTable(proxy.url);
});
afterEach(async () => {
  await engine.close();
  await proxy.close();
});

/** Returns idempotency keys whose tasks have their due entries in shard 0. */
function keys(count: number, name: string): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i++) {
    const key = `${name}-${i}`;
    if (shardOf(slotOf({ ...queue, key }), defaultShards.due) === shard) found.push(key);
  }
  return found;
}

/** Submits tasks of one due shard and moves the clock until they have expired. */
async function expired(count: number): Promise<void> {
  const some = keys(count, 'brief');
  await engine.fixture.acceptMany(count, (i) => ({ key: some[i] ?? '', options: brief }));
  await engine.clock.advance(expiresAfterMs);
}

async function delayed(name: string): Promise<Snapshot> {
  const [key = ''] = keys(1, name);
  return engine.fixture.accept({ key, options: { delayMs: 1_000 } });
}

/** Reads all due entries of shard 0, page by page. Returns the ids of their tasks and the number of calls. */
async function walk(): Promise<{ ids: string[]; calls: number }> {
  const ids: string[] = [];
  let after: DueEntry | undefined;
  let calls = 0;
  do {
    const page = await engine.fixture.store.due(shard, engine.fixture.now, 100, after);
    ids.push(...page.entries.map(({ id }) => id));
    after = page.next;
    calls++;
  } while (after !== undefined);
  return { ids, calls };
}

async function entriesLeft(): Promise<number> {
  const { Count } = await engine.parts.client.send(
    new QueryCommand({
      TableName: engine.table,
      IndexName: 'due',
      KeyConditionExpression: `${keyNames.due[0]} = :shard`,
      ExpressionAttributeValues: { ':shard': { S: duePartition(shard) } },
      Select: 'COUNT',
    }),
  );
  return Count ?? 0;
}

test('a due task behind 1,100 expired due entries is found, and each read of the shard deletes some of those entries', async () => {
  await engine.close();
  // The engine does not use the proxy here, because the proxy would slow down this many submissions.
  engine = await openEngineOnTable(dynoxide.endpoint);
  await expired(1_100);
  const task = await delayed('due');
  await engine.clock.advance(minuteMs);
  const first = await walk();
  expect(first.ids).toEqual([task.id]);
  expect(first.calls).toBeLessThanOrEqual(2);
  const left = await entriesLeft();
  expect(left).toBeLessThanOrEqual(1_001);
  for (let rounds = Math.ceil(left / 100); rounds > 0; rounds--) await walk();
  expect(await entriesLeft()).toBe(1);
  expect((await walk()).ids).toEqual([task.id]);
});

test('the head of an expired task is deleted a minute after the expiry, for two write units', async () => {
  await expired(3);
  await walk();
  await engine.clock.advance(minuteMs - 1_000);
  await walk();
  expect(await entriesLeft()).toBe(3);
  await engine.clock.advance(1_000);
  engine.parts.meter.reset();
  expect((await walk()).ids).toEqual([]);
  expect(await entriesLeft()).toBe(0);
  const { due } = engine.parts.meter.read();
  expect(due).toMatchObject({ writeUnits: 6, indexWriteUnits: 3, failedConditions: 0 });
});

test('the head of an expired task is deleted once and without an error even if the response to the deletion is lost', async () => {
  await expired(5);
  await engine.clock.advance(minuteMs);
  const seen = new Set<string>();
  proxy.hook({
    afterRequest: (_, { operation, keys: [key = ''] }) => {
      if (operation !== 'DeleteItem' || seen.has(key)) return undefined;
      seen.add(key);
      return 'lose';
    },
  });
  expect((await walk()).ids).toEqual([]);
  expect(seen.size).toBe(5);
  expect(await entriesLeft()).toBe(0);
});

test('if DynamoDB refuses to delete expired heads, due tasks are still found and only 25 deletions are tried', async () => {
  await expired(300);
  const task = await delayed('due');
  await engine.clock.advance(minuteMs);
  proxy.restartCount();
  proxy.hook({
    beforeRequest: (_, { operation }) =>
      operation === 'DeleteItem'
        ? answerOf(400, { __type: 'com.amazonaws.dynamodb.v20120810#AccessDeniedException', message: 'no' })
        : undefined,
  });
  expect((await walk()).ids).toEqual([task.id]);
  expect(proxy.count('DeleteItem')).toBe(25);
  expect(await entriesLeft()).toBe(301);
});

test('a stale due entry of an expired task never causes the deletion of the head of the next task with the same idempotency key', async () => {
  const [key = ''] = keys(1, 'again');
  const first = await engine.fixture.accept({ key, options: brief });
  await engine.clock.advance(expiresAfterMs + minuteMs);
  await proxy.set({ indexLag: { upToMs: 600_000 } });
  // TTL may delete the submission first; then the key's next task stores its head in place of the first task's head.
  const place = addressOf(first.id);
  if (place === undefined) expect.fail();
  await engine.parts.client.send(
    new DeleteItemCommand({ TableName: engine.table, Key: { ...submissionKey(place) } }),
  );
  const second = await engine.fixture.accept({ key, options: { delayMs: minuteMs } });
  expect(addressOf(second.id)?.anchor).toBe(true);
  expect((await walk()).ids).toEqual([]);
  expect(proxy.count('DeleteItem')).toBe(2);
  await proxy.caughtUp();
  await engine.clock.advance(minuteMs);
  expect((await walk()).ids).toEqual([second.id]);
  expect(await engine.fixture.read(second)).toEqual(second);
});

test('an expired task whose head was deleted does not exist for readers, and its idempotency key is free', async () => {
  const [key = ''] = keys(1, 'k');
  const task = await engine.fixture.accept({ key, options: brief });
  await engine.clock.advance(expiresAfterMs + minuteMs);
  await walk();
  expect(await entriesLeft()).toBe(0);
  expect(await engine.fixture.store.read([task.id], engine.fixture.now)).toEqual([undefined]);
  expect(await engine.fixture.store.history(task.id, 0)).toEqual([]);
  const next = await engine.fixture.accept({ key });
  expect(next.id).not.toBe(task.id);
  expect(await engine.fixture.store.byKey(next.submission.scope, engine.fixture.now)).toEqual(next);
});
