/** Tests due entries that an older version wrote: their sort key is the time alone and names no queue. */
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { addressOf, type ItemAddress } from '../../src/engines/aws/table/schema/ids.ts';
import { headKey, keyNames } from '../../src/engines/aws/table/schema/keys.ts';
import type { DueEntry, Snapshot } from '../../src/ports/task-store.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  engine = await openEngineOnTable(dynoxide.endpoint);
});
afterEach(() => engine.close());

/** Rewrites the due entry of a task as an older version writes it. */
async function asOfOlderVersion(task: Snapshot, dueAtMs: number): Promise<void> {
  await engine.parts.client.send(
    new UpdateItemCommand({
      TableName: engine.table,
      Key: headKey(addressOf(task.id) as ItemAddress),
      UpdateExpression: 'SET #sort = :time',
      ExpressionAttributeNames: { '#sort': keyNames.due[1] },
      ExpressionAttributeValues: { ':time': { N: String(dueAtMs) } },
    }),
  );
}

/** Reads all due entries page by page, so many entries in each page. */
async function allEntries(limit: number): Promise<DueEntry[]> {
  const { store, now } = engine.fixture;
  const entries: DueEntry[] = [];
  for (let shard = 0; shard < store.dueShards; shard++) {
    let after: DueEntry | undefined;
    do {
      const page = await store.due(shard, now, limit, after);
      entries.push(...page.entries);
      after = page.next;
    } while (after !== undefined);
  }
  return entries;
}

test('due entries of older versions are found at their times among newer ones, and pages go on after them', async () => {
  const dueAtMs = engine.fixture.now + 1_000;
  const tasks = await engine.fixture.acceptMany(40, () => ({ options: { delayMs: 1_000 } }));
  const older = tasks.filter((_, i) => i % 2 === 0);
  for (const task of older) await asOfOlderVersion(task, dueAtMs);
  await engine.clock.advance(999);
  expect(await allEntries(100)).toEqual([]);
  await engine.clock.advance(1);
  for (const limit of [1, 3, 100]) {
    const entries = await allEntries(limit);
    expect(entries.map(({ id }) => id).toSorted()).toEqual(tasks.map(({ id }) => id).toSorted());
    expect(entries.every((entry) => entry.dueAtMs === dueAtMs)).toBe(true);
    const untagged = entries.filter(({ tenantTag, queueTag }) => tenantTag === '' && queueTag === '');
    expect(untagged.map(({ id }) => id).toSorted()).toEqual(older.map(({ id }) => id).toSorted());
  }
});
