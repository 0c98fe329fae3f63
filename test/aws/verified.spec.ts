import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { create } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import type { Identity } from '../../src/rpc/api/api.ts';
import { createApi } from '../../src/rpc/api/create-api.ts';
import {
  HistoryFault,
  TaskService,
  VerifyTaskHistoryRequestSchema,
} from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { createService } from '../../src/service/create-service.ts';
import { queue } from '../contract/submissions.ts';
import { anyone, calledBy } from '../fixtures/api-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type Site, siteOn } from './engine-on-table.ts';

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

const pk = (task: Snapshot) => ({ S: `T#${task.id.split('.')[0]}` });
const head = (task: Snapshot) => ({ pk: pk(task), sk: { S: 'H' } });
const submission = (task: Snapshot) => ({ pk: pk(task), sk: { S: 'S' } });

/** Of the items that hold what was moved out, by hand: `E#…`. */
async function movedOut(task: Snapshot): Promise<Item[]> {
  const asked = new QueryCommand({
    TableName: site.table,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :e)',
    ExpressionAttributeValues: { ':pk': pk(task), ':e': { S: 'E#' } },
  });
  const found: QueryCommandOutput = await site.parts.client.send(asked);
  return found.Items ?? [];
}

async function itemAt(Key: Item): Promise<Item> {
  const { Item: item } = await site.parts.client.send(new GetItemCommand({ TableName: site.table, Key }));
  if (item === undefined) throw new Error('no such item');
  return item;
}

/** Values that a test found absent are refused by the table. */
type Values = Record<string, Item[string] | undefined>;

async function write(Key: Item, UpdateExpression: string, values: Values): Promise<void> {
  const update = { TableName: site.table, Key, UpdateExpression };
  const ExpressionAttributeValues = values as Item;
  await site.parts.client.send(new UpdateItemCommand({ ...update, ExpressionAttributeValues }));
}

async function remove(Key: Item): Promise<void> {
  await site.parts.client.send(new DeleteItemCommand({ TableName: site.table, Key }));
}

/** With its last bit turned, which leaves it readable. */
function altered(bytes: Uint8Array | undefined): { B: Uint8Array } {
  const copy = Uint8Array.from(bytes ?? []);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return { B: copy };
}

async function alterEvent({ pk: partition, sk, ev }: Item, i: number): Promise<void> {
  await write({ pk: partition, sk } as Item, `SET ev[${i}] = :forged`, { ':forged': altered(ev?.L?.[i]?.B) });
}

const verify = ({ id }: Snapshot) => site.bench.store.verify?.(id, site.bench.now);

/** Submitted, claimed, failed, claimed, succeeded. */
async function lived(): Promise<Snapshot> {
  const { bench } = site;
  const failed = await bench.fail(await bench.claim(await bench.accept()), 0);
  return bench.succeed(await bench.claim(await bench.makeReady(failed)));
}

/** So many attempts that its first events were moved out; it waits. */
async function long(attempts = 15): Promise<Snapshot> {
  const { bench } = site;
  const task = await bench.accept({ options: { retry: { maxAttempts: 100 } } });
  return again(task, attempts);
}

async function again(task: Snapshot, attempts: number): Promise<Snapshot> {
  const { bench } = site;
  let last = task;
  for (let i = 0; i < attempts; i++) {
    last = await bench.makeReady(await bench.fail(await bench.claim(last), 0));
  }
  return last;
}

test('what nobody touched is whole, whatever happened to it', async () => {
  const { bench } = site;
  expect(await verify(await bench.accept())).toEqual({ queue, events: 1, fault: undefined });
  const delayed = await bench.accept({ options: { delayMs: 5_000 } });
  expect(await verify(delayed)).toMatchObject({ events: 1, fault: undefined });
  expect(await verify(await lived())).toMatchObject({ events: 5, fault: undefined });
  const task = await long();
  expect((await movedOut(task)).length).toBeGreaterThan(1);
  expect(await verify(task)).toMatchObject({ events: 31, fault: undefined });
  const laned = await bench.die(await bench.accept({ orderingKey: 'ann' }));
  await bench.store.leave(bench.lane('ann'), laned.id, laned.laneSeq);
  const redriven = await bench.redrive(await bench.handedOver(laned), true);
  expect(await verify(redriven)).toMatchObject({ events: 4, fault: undefined });
  const late = { key: 'k', options: { windowMs: 60_000 } };
  await bench.cancel(await bench.accept(late));
  await bench.clock.advance(60_000);
  const second = await bench.claim(await bench.accept(late));
  expect(second.id).toContain('~');
  expect(await verify(second)).toMatchObject({ events: 2, fault: undefined });
});

test('there is nothing to verify of what never was, and of what has expired', async () => {
  const { bench } = site;
  const task = await lived();
  expect(await bench.store.verify?.('nobody', bench.now)).toBeUndefined();
  expect(await bench.store.verify?.(task.id.replace('.', '~'), bench.now)).toBeUndefined();
  expect(await bench.store.verify?.(task.id, task.submission.expiresAtMs)).toBeUndefined();
});

test('an event in the tip that was altered is found, the last one too', async () => {
  const task = await lived();
  const before = await itemAt(head(task));
  for (const [i, event] of [2, 3, 4, 5].entries()) {
    await alterEvent(before, i);
    expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event } });
    await write(head(task), 'SET ev = :before', { ':before': before.ev });
  }
  expect(await verify(task)).toMatchObject({ fault: undefined });
});

test('events that were exchanged, put in or taken out are found', async () => {
  const task = await lived();
  const [first, second, third, fourth] = (await itemAt(head(task))).ev?.L ?? [];
  const fault = async (events: readonly unknown[]) => {
    await write(head(task), 'SET ev = :events', {
      ':events': { L: events as Item[] } as unknown as Item[string],
    });
    return (await verify(task))?.fault;
  };
  expect(await fault([first, third, second, fourth])).toEqual({ kind: 'changed', event: 2 });
  expect(await fault([first, second, second, fourth])).toEqual({ kind: 'changed', event: 3 });
  expect(await fault([first, second, fourth])).toEqual({ kind: 'missing', event: 2 });
  expect(await fault([])).toEqual({ kind: 'missing', event: 2 });
});

test('a submission that was altered after its first claim is found: its payload, its type', async () => {
  const task = await lived();
  const before = await itemAt(submission(task));
  await write(submission(task), 'SET b = :forged', { ':forged': altered(before.b?.B) });
  expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event: 1 } });
  await write(submission(task), 'SET b = :before, ty = :other', {
    ':before': before.b,
    ':other': { S: 'other' },
  });
  expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event: 1 } });
});

test('of a task that waits for its run time, too', async () => {
  const task = await site.bench.accept({ options: { delayMs: 5_000 } });
  const { b } = await itemAt(submission(task));
  await write(submission(task), 'SET b = :forged', { ':forged': altered(b?.B) });
  expect(await verify(task)).toMatchObject({ events: 1, fault: { kind: 'changed', event: 1 } });
});

test('an event that was moved out is found altered, and found missing', async () => {
  const task = await long();
  const [first, second] = await movedOut(task);
  if (first === undefined || second === undefined) expect.fail('nothing was moved out');
  await alterEvent(second, 1);
  const event = Number(second.f?.N) + 1;
  expect(await verify(task)).toMatchObject({ events: 31, fault: { kind: 'changed', event } });
  await remove({ pk: pk(task), sk: first.sk ?? {} } as Item);
  expect(await verify(task)).toMatchObject({ events: 31, fault: { kind: 'missing', event: 2 } });
});

test('a copy that was moved out and is in the tip still is held against it', async () => {
  const task = await lived();
  const { at, ev } = await itemAt(head(task));
  // As a process leaves it that died before the change that would have dropped them from the tip.
  const copy = { pk: pk(task), sk: { S: 'E#000002-000003' } };
  const events = { L: ev?.L?.slice(0, 2) ?? [] };
  await site.parts.client.send(
    new PutItemCommand({
      TableName: site.table,
      Item: { ...copy, at: at ?? { N: '0' }, f: { N: '2' }, ev: events },
    }),
  );
  expect(await verify(task)).toMatchObject({ fault: undefined });
  await alterEvent(await itemAt(copy), 0);
  expect(await verify(task)).toMatchObject({ fault: { kind: 'changed', event: 2 } });
});

test('events that were cut off at the end are found', async () => {
  const task = await lived();
  await write(head(task), 'SET v = :v REMOVE ev[3]', { ':v': { N: '4' } });
  expect(await verify(task)).toMatchObject({ events: 4, fault: { kind: 'changed', event: 4 } });
});

test('a head that was removed is found by what was moved out, and only by that', async () => {
  const task = await long();
  await remove(head(task));
  expect(await verify(task)).toMatchObject({ events: 1, fault: { kind: 'uncounted', event: 2 } });
  const short = await lived();
  await remove(head(short));
  expect(await verify(short)).toMatchObject({ events: 1, fault: undefined });
});

test('what was altered is found after the task went on elsewhere, too', async () => {
  const { bench } = site;
  const failed = await bench.fail(await bench.claim(await bench.accept()), 0);
  await alterEvent(await itemAt(head(failed)), 1);
  bench.engine = { ...bench.engine, store: site.another().store };
  const task = await bench.succeed(await bench.claim(await bench.makeReady(await bench.read(failed))));
  expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event: 3 } });
});

test('a task that goes on while its events are read is not taken for one that was tampered with', async () => {
  const task = await long(10);
  let during: Promise<unknown> | undefined;
  site.parts.client.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === 'QueryCommand' && during === undefined) {
        during = again(task, 10);
        await during;
      }
      return next(args);
    },
    { step: 'initialize' },
  );
  expect(await verify(task)).toMatchObject({ events: 41, fault: undefined });
  expect(during).toBeDefined();
});

test('an event that cannot be read is told as damage of that task, and verified all the same', async () => {
  const { bench } = site;
  const task = await lived();
  await write(head(task), 'SET ev[1] = :garbage', {
    ':garbage': { B: Uint8Array.from({ length: 12 }, () => 0xff) },
  });
  const damaged = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: task.id };
  await expect(bench.store.read([task.id], bench.now)).rejects.toMatchObject(damaged);
  await expect(bench.store.history(task.id, 0)).rejects.toMatchObject(damaged);
  expect(await verify(task)).toMatchObject({ queue, fault: { kind: 'changed', event: 2 } });
});

test('a history with a hole is told as damage, not shown without it', async () => {
  const task = await long();
  const [first] = await movedOut(task);
  await remove({ pk: pk(task), sk: first?.sk ?? {} } as Item);
  await expect(site.bench.store.history(task.id, 0)).rejects.toMatchObject({
    reason: 'STORE_CORRUPT',
    message: expect.stringContaining('event 2 is missing'),
  });
});

test('is told to readers of its tenant and queue, and to nobody else', async () => {
  const { bench, clock } = site;
  const options = { ...bench.engine, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const api = createApi({ service, clock, log: silentLog, node: 'node-1' });
  const { id } = await lived();
  const by = (tenant: string, identity: Partial<Identity> = {}) =>
    api.call(
      TaskService.method.verifyTaskHistory,
      create(VerifyTaskHistoryRequestSchema, { id, tenant }),
      calledBy({ ...anyone, ...identity }),
    );
  expect(await by('acme')).toMatchObject({ events: 5, fault: HistoryFault.UNSPECIFIED, faultAt: 0 });
  expect(await by('acme', { queues: ['mail'] })).toMatchObject({ events: 5 });
  const unknown = { code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' };
  await expect(by('other')).rejects.toMatchObject(unknown);
  await expect(by('acme', { queues: ['other'] })).rejects.toMatchObject(unknown);
});
