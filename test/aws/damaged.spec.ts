import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { addressOf } from '../../src/engines/aws/table/schema/ids.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { createService } from '../../src/service/create-service.ts';
import { queue } from '../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let engine: EngineOnTable;
const logged: object[] = [];
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
beforeEach(async () => {
  logged.length = 0;
  engine = await openEngineOnTable(dynoxide.endpoint, {
    ...silentLog,
    error: (fields) => void logged.push(fields),
  });
});
afterEach(() => engine.close());
afterAll(() => dynoxide.stop());

/** Writes a task state that does not exist to a task's head, as a program other than Holdfast might. */
async function damage(task: Snapshot): Promise<void> {
  const place = addressOf(task.id);
  await engine.parts.client.send(
    new UpdateItemCommand({
      TableName: engine.table,
      Key: { pk: { S: `T#${place?.slot}` }, sk: { S: 'H' } },
      UpdateExpression: 'SET #at = :at, st = :st',
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':at': { N: String(place?.mark) }, ':st': { S: 'z' } },
    }),
  );
}

/** Starts a node that has granted no leases yet. */
async function node(name: string) {
  const { fixture, clock } = engine;
  return createService({ ...fixture.engine, node: name, clock, log: silentLog, createQueues: true });
}

async function fiveSent(): Promise<Snapshot[]> {
  const tasks: Snapshot[] = [];
  for (let i = 0; i < 5; i++) tasks.push(await engine.fixture.acceptAndSend());
  return tasks;
}

const claimRequest = {
  tenant: queue.tenant,
  workerName: 'w',
  workerId: 'w',
  queues: [queue.queue],
  types: [{ type: 'send', maxVersion: 1 }],
  maxTasks: 10,
  waitMs: 0,
  requestId: '',
  signal: new AbortController().signal,
};
const damaged = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' };

test('a damaged task is not claimed and does not block the claims of other tasks', async () => {
  const tasks = await fiveSent();
  const victim = tasks[2] as Snapshot;
  await damage(victim);
  // The dispatch messages are delivered a second time, so the claim reads the heads of the tasks.
  await engine.clock.advance(40_000);
  const { service, settled } = await node('node-1');
  const claimed = await service.claim(claimRequest);
  await settled();
  const others = tasks.filter(({ id }) => id !== victim.id).map(({ id }) => id);
  expect(claimed.map(({ id }) => id).toSorted()).toEqual(others.toSorted());
});

test('a damaged due task does not stop other due tasks from becoming ready', async () => {
  const tasks = await engine.fixture.acceptMany(40, () => ({ options: { delayMs: 1_000 } }));
  const victim = tasks[0] as Snapshot;
  await damage(victim);
  await engine.clock.advance(2_000);
  const { context } = await node('node-1');
  await sweep(context, new AbortController().signal);
  const others = tasks.slice(1).map(({ id }) => id);
  const read = await engine.fixture.store.read(others, engine.fixture.now);
  expect(read.filter((task) => task?.head.waitUntilMs !== undefined)).toEqual([]);
});

test('a damaged task is left out of lists and logged; reading it by its id is an error', async () => {
  const tasks = await fiveSent();
  const victim = tasks[2] as Snapshot;
  await damage(victim);
  for (const filter of [{}, { state: 'ready' }, { state: 'unfinished' }] as const) {
    logged.length = 0;
    const { items } = await engine.fixture.listAll(filter);
    expect(items.length).toBe(4);
    expect(logged).toEqual([expect.objectContaining({ task_id: victim.id })]);
  }
  expect((await engine.fixture.listAll({ state: 'running' })).items).toEqual([]);
  expect(await engine.fixture.store.counts(queue, engine.clock.now())).toMatchObject({
    ready: 4,
    running: 0,
  });
  const { service } = await node('node-1');
  await expect(service.get(queue.tenant, victim.id, false)).rejects.toMatchObject(damaged);
});

test('a damaged task in a batch does not stop another node from renewing and settling the other tasks', async () => {
  const tasks = await fiveSent();
  const first = await node('node-1');
  const claimed = await first.service.claim(claimRequest);
  expect(claimed.length).toBe(5);
  await damage(tasks[2] as Snapshot);
  const { service } = await node('node-2');
  const from = { tenant: queue.tenant, sessionId: undefined };
  const beats = await service.heartbeat(
    claimed.map(({ lease }) => ({ lease, begun: true, progress: undefined })),
    from,
  );
  const of = <T>(answers: readonly T[]) => new Map(answers.map((answer, i) => [claimed[i]?.id, answer]));
  const victim = tasks[2]?.id;
  expect(of(beats).get(victim)).toMatchObject({ verdict: 'error', error: damaged });
  expect(beats.filter(({ verdict }) => verdict === 'renewed').length).toBe(4);
  const { results } = await service.settle(
    claimed.map(({ lease }) => ({
      lease,
      outcome: 'succeeded' as const,
      result: undefined,
      message: '',
      errorType: '',
      afterMs: undefined,
      begun: false,
    })),
    from,
  );
  expect(of(results).get(victim)).toMatchObject({ error: damaged });
  expect(results.filter(({ error }) => error === undefined).length).toBe(4);
});
