import { DeleteItemCommand, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Key, laneTailKey } from '../../src/engines/aws/table/schema/keys.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type Site, siteOn } from './engine-on-table.ts';

const dayMs = 86_400_000;
const orderingKey = 'ann';

let dynoxide: Dynoxide;
let site: Site;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
beforeEach(async () => {
  site = await siteOn(dynoxide.endpoint);
});
afterEach(() => site.close());
afterAll(() => dynoxide.stop());

function tailKey(): Record<keyof Key, Key['pk']> {
  return { ...laneTailKey(site.bench.lane(orderingKey)) };
}

async function tailEndsAtMs(): Promise<number> {
  const { Item } = await site.parts.client.send(
    new GetItemCommand({ TableName: site.table, Key: tailKey(), ConsistentRead: true }),
  );
  return Number(Item?.x?.N) * 1_000;
}

/** As an operator does, or a table restored from what a backup had. */
async function loseTail(): Promise<void> {
  await site.parts.client.send(new DeleteItemCommand({ TableName: site.table, Key: tailKey() }));
}

async function lowest(): Promise<string | undefined> {
  return (await site.bench.store.lowest(site.bench.lane(orderingKey)))?.id;
}

function seqs(tasks: readonly Snapshot[]): (number | undefined)[] {
  return tasks.map((task) => task.laneSeq);
}

test('the tail of a lane outlives its longest-lived task, whatever came after it in the same batch', async () => {
  const { bench } = site;
  const long = { lifetimeMs: 300 * dayMs };
  const short = { lifetimeMs: 60_000, windowMs: 60_000, retentionMs: 0 };
  // More than one transaction takes.
  const tasks = await bench.acceptMany(60, (i) => ({ orderingKey, options: i < 10 ? long : short }));
  expect(await tailEndsAtMs()).toBeGreaterThan((tasks[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
  await bench.accept({ orderingKey, options: short });
  expect(await tailEndsAtMs()).toBeGreaterThan((tasks[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
});

test('where a tail was lost nobody is given the place of another, and the lane goes on behind them', async () => {
  const { bench } = site;
  const options = { lifetimeMs: 300 * dayMs };
  const before = await bench.acceptMany(3, () => ({ orderingKey, options }));
  await loseTail();
  const known = bench.acceptance({ key: before[1]?.submission.scope.key ?? '', orderingKey, options });
  const accepted = await bench.store.accept([bench.acceptance({ orderingKey }), known]);
  expect(accepted).toMatchObject([
    { kind: 'fresh', snapshot: { laneSeq: 4 } },
    { kind: 'existing', snapshot: { id: before[1]?.id } },
  ]);
  expect(await tailEndsAtMs()).toBeGreaterThan((before[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
  expect(seqs(await bench.acceptMany(60, () => ({ orderingKey })))).toEqual(
    Array.from({ length: 60 }, (_, i) => i + 5),
  );
  for (const task of before) {
    expect(await lowest()).toBe(task.id);
    await bench.store.leave(bench.lane(orderingKey), task.id, task.laneSeq);
  }
});

test('where a tail was lost a redriven task joins behind all that wait', async () => {
  const { bench } = site;
  const [dead, ...waiting] = await bench.acceptMany(3, () => ({ orderingKey }));
  if (dead === undefined) expect.fail();
  const died = await bench.die(dead);
  await bench.store.leave(bench.lane(orderingKey), dead.id, dead.laneSeq);
  const handed = await bench.handedOver(died);
  await loseTail();
  // Its own place is free, the next is not.
  const newcomer = await bench.accept({ orderingKey });
  await loseTail();
  const redriven = await bench.redrive(handed, true);
  expect(seqs([...waiting, newcomer, redriven])).toEqual([2, 3, 1, 4]);
  expect(await lowest()).toBe(newcomer.id);
});
