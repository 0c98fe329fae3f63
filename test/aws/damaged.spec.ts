import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { placeOf } from '../../src/engines/aws/table/schema/ids.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { createService } from '../../src/service/create-service.ts';
import { queue } from '../contract/submissions.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type Site, siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let site: Site;
const told: object[] = [];
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
beforeEach(async () => {
  told.length = 0;
  site = await siteOn(dynoxide.endpoint, { ...silentLog, error: (fields) => void told.push(fields) });
});
afterEach(() => site.close());
afterAll(() => dynoxide.stop());

/** Something else than Holdfast wrote a state that no head has. */
async function damage(task: Snapshot): Promise<void> {
  const place = placeOf(task.id);
  await site.parts.client.send(
    new UpdateItemCommand({
      TableName: site.table,
      Key: { pk: { S: `T#${place?.slot}` }, sk: { S: 'H' } },
      UpdateExpression: 'SET #at = :at, st = :st',
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':at': { N: String(place?.mark) }, ':st': { S: 'z' } },
    }),
  );
}

/** A node that has given no leases itself. */
async function node(name: string) {
  const { bench, clock } = site;
  return createService({ ...bench.engine, node: name, clock, log: silentLog, createQueues: true });
}

async function fiveSent(): Promise<Snapshot[]> {
  const tasks: Snapshot[] = [];
  for (let i = 0; i < 5; i++) tasks.push(await site.bench.acceptSent());
  return tasks;
}

const asked = {
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

test('a damaged task keeps no other from being claimed, and waits to be mended', async () => {
  const tasks = await fiveSent();
  const victim = tasks[2] as Snapshot;
  await damage(victim);
  // Heard again, so that heads are read.
  await site.clock.advance(40_000);
  const { service, settled } = await node('node-1');
  const claimed = await service.claim(asked);
  await settled();
  const others = tasks.filter(({ id }) => id !== victim.id).map(({ id }) => id);
  expect(claimed.map(({ id }) => id).toSorted()).toEqual(others.toSorted());
});

test('a damaged task keeps no other from being made ready when its time comes', async () => {
  const tasks = await site.bench.acceptMany(40, () => ({ options: { delayMs: 1_000 } }));
  const victim = tasks[0] as Snapshot;
  await damage(victim);
  await site.clock.advance(2_000);
  const { context } = await node('node-1');
  await sweep(context, new AbortController().signal);
  const others = tasks.slice(1).map(({ id }) => id);
  const read = await site.bench.store.read(others, site.bench.now);
  expect(read.filter((task) => task?.head.waitUntilMs !== undefined)).toEqual([]);
});

test('a damaged task is left out of a list and told in the log; asked for by itself it is an error', async () => {
  const tasks = await fiveSent();
  const victim = tasks[2] as Snapshot;
  await damage(victim);
  for (const filter of [{}, { state: 'ready' }, { state: 'unfinished' }] as const) {
    told.length = 0;
    const { items } = await site.bench.listAll(filter);
    expect(items.length).toBe(4);
    expect(told).toEqual([expect.objectContaining({ task_id: victim.id })]);
  }
  expect((await site.bench.listAll({ state: 'running' })).items).toEqual([]);
  expect(await site.bench.store.counts(queue, site.clock.now())).toMatchObject({ ready: 4, running: 0 });
  const { service } = await node('node-1');
  await expect(service.get(queue.tenant, victim.id, false)).rejects.toMatchObject(damaged);
});

test('a damaged task keeps no other of a batch from being renewed or settled through another node', async () => {
  const tasks = await fiveSent();
  const first = await node('node-1');
  const claimed = await first.service.claim(asked);
  expect(claimed.length).toBe(5);
  await damage(tasks[2] as Snapshot);
  const { service } = await node('node-2');
  const from = { tenant: queue.tenant, sessionId: undefined };
  const beats = await service.heartbeat(
    claimed.map(({ lease }) => ({ lease, progress: undefined })),
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
    })),
    from,
  );
  expect(of(results).get(victim)).toMatchObject({ error: damaged });
  expect(results.filter(({ error }) => error === undefined).length).toBe(4);
});
