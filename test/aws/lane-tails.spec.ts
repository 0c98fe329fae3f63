import { DeleteItemCommand, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Key, laneTailKey } from '../../src/engines/aws/table/schema/keys.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

const dayMs = 86_400_000;
const orderingKey = 'ann';

let dynoxide: Dynoxide;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
beforeEach(async () => {
  engine = await openEngineOnTable(dynoxide.endpoint);
});
afterEach(() => engine.close());
afterAll(() => dynoxide.stop());

function tailKey(): Record<keyof Key, Key['pk']> {
  return { ...laneTailKey(engine.fixture.lane(orderingKey)) };
}

async function tailEndsAtMs(): Promise<number> {
  const { Item } = await engine.parts.client.send(
    new GetItemCommand({ TableName: engine.table, Key: tailKey(), ConsistentRead: true }),
  );
  return Number(Item?.x?.N) * 1_000;
}

/** Deletes the tail of the lane, as an operator or an incomplete restore of the table might. */
async function loseTail(): Promise<void> {
  await engine.parts.client.send(new DeleteItemCommand({ TableName: engine.table, Key: tailKey() }));
}

async function lowest(): Promise<string | undefined> {
  return (await engine.fixture.store.lowest(engine.fixture.lane(orderingKey)))?.id;
}

function seqs(tasks: readonly Snapshot[]): (number | undefined)[] {
  return tasks.map((task) => task.laneSeq);
}

test('the tail item of a lane, which counts its places, outlives the longest-lived task of the lane, even if shorter-lived tasks follow that task in one batch', async () => {
  const { fixture } = engine;
  const long = { lifetimeMs: 300 * dayMs };
  const short = { lifetimeMs: 60_000, windowMs: 60_000, retentionMs: 0 };
  // 60 tasks of a lane need more than one DynamoDB transaction.
  const tasks = await fixture.acceptMany(60, (i) => ({ orderingKey, options: i < 10 ? long : short }));
  expect(await tailEndsAtMs()).toBeGreaterThan((tasks[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
  await fixture.accept({ orderingKey, options: short });
  expect(await tailEndsAtMs()).toBeGreaterThan((tasks[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
});

test('after the tail item of a lane was deleted, no taken place in the lane is given out again, and new tasks join the lane behind its other tasks', async () => {
  const { fixture } = engine;
  const options = { lifetimeMs: 300 * dayMs };
  const before = await fixture.acceptMany(3, () => ({ orderingKey, options }));
  await loseTail();
  const known = fixture.acceptance({ key: before[1]?.submission.scope.key ?? '', orderingKey, options });
  const accepted = await fixture.store.accept([fixture.acceptance({ orderingKey }), known]);
  expect(accepted).toMatchObject([
    { kind: 'fresh', snapshot: { laneSeq: 4 } },
    { kind: 'existing', snapshot: { id: before[1]?.id } },
  ]);
  expect(await tailEndsAtMs()).toBeGreaterThan((before[0]?.submission.expiresAtMs ?? 0) + 29 * dayMs);
  expect(seqs(await fixture.acceptMany(60, () => ({ orderingKey })))).toEqual(
    Array.from({ length: 60 }, (_, i) => i + 5),
  );
  for (const task of before) {
    expect(await lowest()).toBe(task.id);
    await fixture.store.leaveLane(fixture.lane(orderingKey), task.id, task.laneSeq);
  }
});

test('after the tail item of a lane was deleted, a redriven task joins the lane behind all waiting tasks', async () => {
  const { fixture } = engine;
  const [dead, ...waiting] = await fixture.acceptMany(3, () => ({ orderingKey }));
  if (dead === undefined) expect.fail();
  const died = await fixture.die(dead);
  await fixture.store.leaveLane(fixture.lane(orderingKey), dead.id, dead.laneSeq);
  const handed = await fixture.finishHandOver(died);
  await loseTail();
  // The new task gets the dead task's place in the lane, which is free; the two places behind that place are taken.
  const newcomer = await fixture.accept({ orderingKey });
  await loseTail();
  const redriven = await fixture.redrive(handed, true);
  expect(seqs([...waiting, newcomer, redriven])).toEqual([2, 3, 1, 4]);
  expect(await lowest()).toBe(newcomer.id);
});
