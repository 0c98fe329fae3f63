/** Due entries of tasks that have expired, which TTL deletes days late: they keep nobody waiting, and are deleted when met. */
import { DeleteItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { defaultShards } from '../../src/engines/aws/table/schema/definition.ts';
import { placeOf, shardOf, slotOf } from '../../src/engines/aws/table/schema/ids.ts';
import { duePartition, keyNames, submissionKey } from '../../src/engines/aws/table/schema/keys.ts';
import type { DueEntry, Snapshot } from '../../src/ports/task-store.ts';
import { queue } from '../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type Site, siteOn } from './engine-on-table.ts';

const shard = 0;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const brief = { windowMs: minuteMs, lifetimeMs: minuteMs, retentionMs: 1 };
/** After its lifetime's end at the earliest. */
const expiresAfterMs = minuteMs + hourMs;

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let site: Site;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  site = await siteOn(proxy.url);
});
afterEach(async () => {
  await site.close();
  await proxy.close();
});

/** Keys of tasks that are due in one shard. */
function keys(count: number, name: string): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i++) {
    const key = `${name}-${i}`;
    if (shardOf(slotOf({ ...queue, key }), defaultShards.due) === shard) found.push(key);
  }
  return found;
}

/** Tasks of one shard that nobody looked at before they expired. */
async function expired(count: number): Promise<void> {
  const some = keys(count, 'brief');
  await site.bench.acceptMany(count, (i) => ({ key: some[i] ?? '', options: brief }));
  await site.clock.advance(expiresAfterMs);
}

async function delayed(name: string): Promise<Snapshot> {
  const [key = ''] = keys(1, name);
  return site.bench.accept({ key, options: { delayMs: 1_000 } });
}

/** What a walk through all that is due finds, and by how many calls. */
async function walk(): Promise<{ ids: string[]; calls: number }> {
  const ids: string[] = [];
  let after: DueEntry | undefined;
  let calls = 0;
  do {
    const page = await site.bench.store.due(shard, site.bench.now, 100, after);
    ids.push(...page.entries.map(({ id }) => id));
    after = page.next;
    calls++;
  } while (after !== undefined);
  return { ids, calls };
}

async function entriesLeft(): Promise<number> {
  const { Count } = await site.parts.client.send(
    new QueryCommand({
      TableName: site.table,
      IndexName: 'due',
      KeyConditionExpression: `${keyNames.due[0]} = :shard`,
      ExpressionAttributeValues: { ':shard': { S: duePartition(shard) } },
      Select: 'COUNT',
    }),
  );
  return Count ?? 0;
}

test('a due task is found behind 1,100 expired ones, and each look leaves fewer of these', async () => {
  await site.close();
  // So many go quicker without the proxy.
  site = await siteOn(dynoxide.endpoint);
  await expired(1_100);
  const task = await delayed('due');
  await site.clock.advance(minuteMs);
  const first = await walk();
  expect(first.ids).toEqual([task.id]);
  expect(first.calls).toBeLessThanOrEqual(2);
  const left = await entriesLeft();
  expect(left).toBeLessThanOrEqual(1_001);
  for (let rounds = Math.ceil(left / 100); rounds > 0; rounds--) await walk();
  expect(await entriesLeft()).toBe(1);
  expect((await walk()).ids).toEqual([task.id]);
});

test('a head is deleted for two units, and not before a minute after its task has expired', async () => {
  await expired(3);
  await walk();
  await site.clock.advance(minuteMs - 1_000);
  await walk();
  expect(await entriesLeft()).toBe(3);
  await site.clock.advance(1_000);
  site.parts.meter.reset();
  expect((await walk()).ids).toEqual([]);
  expect(await entriesLeft()).toBe(0);
  const { due } = site.parts.meter.read();
  expect(due).toMatchObject({ writeUnits: 6, indexWriteUnits: 3, failedConditions: 0 });
});

test('where the answer to a deletion is lost, it is done once and nobody is told', async () => {
  await expired(5);
  await site.clock.advance(minuteMs);
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

test('where deletions are refused, due tasks are found all the same, and little is tried in vain', async () => {
  await expired(300);
  const task = await delayed('due');
  await site.clock.advance(minuteMs);
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

test('an entry that lags behind its head never takes the head of the key’s next task away', async () => {
  const [key = ''] = keys(1, 'again');
  const first = await site.bench.accept({ key, options: brief });
  await site.clock.advance(expiresAfterMs + minuteMs);
  await proxy.set({ indexLag: { upToMs: 600_000 } });
  // As TTL does, in any order: so the next task of the key has its head where the first one's stands.
  const place = placeOf(first.id);
  if (place === undefined) expect.fail();
  await site.parts.client.send(
    new DeleteItemCommand({ TableName: site.table, Key: { ...submissionKey(place) } }),
  );
  const second = await site.bench.accept({ key, options: { delayMs: minuteMs } });
  expect(placeOf(second.id)?.anchor).toBe(true);
  expect((await walk()).ids).toEqual([]);
  expect(proxy.count('DeleteItem')).toBe(2);
  await proxy.caughtUp();
  await site.clock.advance(minuteMs);
  expect((await walk()).ids).toEqual([second.id]);
  expect(await site.bench.read(second)).toEqual(second);
});

test('to its readers a task whose head was deleted so is gone, and its key is free', async () => {
  const [key = ''] = keys(1, 'k');
  const task = await site.bench.accept({ key, options: brief });
  await site.clock.advance(expiresAfterMs + minuteMs);
  await walk();
  expect(await entriesLeft()).toBe(0);
  expect(await site.bench.store.read([task.id], site.bench.now)).toEqual([undefined]);
  expect(await site.bench.store.history(task.id, 0)).toEqual([]);
  const next = await site.bench.accept({ key });
  expect(next.id).not.toBe(task.id);
  expect(await site.bench.store.byKey(next.submission.scope, site.bench.now)).toEqual(next);
});
