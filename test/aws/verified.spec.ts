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
import { anyone, callContext } from '../fixtures/api-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

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

const pk = (task: Snapshot) => ({ S: `T#${task.id.split('.')[0]}` });
const head = (task: Snapshot) => ({ pk: pk(task), sk: { S: 'H' } });
const submission = (task: Snapshot) => ({ pk: pk(task), sk: { S: 'S' } });

/** Reads the items with events that were moved out of a task's head (`E#…`) directly from the table. */
async function movedOut(task: Snapshot): Promise<Item[]> {
  const request = new QueryCommand({
    TableName: engine.table,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :e)',
    ExpressionAttributeValues: { ':pk': pk(task), ':e': { S: 'E#' } },
  });
  const found: QueryCommandOutput = await engine.parts.client.send(request);
  return found.Items ?? [];
}

async function itemAt(Key: Item): Promise<Item> {
  const { Item: item } = await engine.parts.client.send(new GetItemCommand({ TableName: engine.table, Key }));
  if (item === undefined) throw new Error('no such item');
  return item;
}

/** Values of an UpdateItem call. DynamoDB refuses the call if a value is `undefined`. */
type Values = Record<string, Item[string] | undefined>;

async function write(Key: Item, UpdateExpression: string, values: Values): Promise<void> {
  const update = { TableName: engine.table, Key, UpdateExpression };
  const ExpressionAttributeValues = values as Item;
  await engine.parts.client.send(new UpdateItemCommand({ ...update, ExpressionAttributeValues }));
}

async function remove(Key: Item): Promise<void> {
  await engine.parts.client.send(new DeleteItemCommand({ TableName: engine.table, Key }));
}

/** Returns a copy of the bytes with the last bit flipped. The copy can still be decoded. */
function altered(bytes: Uint8Array | undefined): { B: Uint8Array } {
  const copy = Uint8Array.from(bytes ?? []);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return { B: copy };
}

async function alterEvent({ pk: partition, sk, ev }: Item, i: number): Promise<void> {
  await write({ pk: partition, sk } as Item, `SET ev[${i}] = :forged`, { ':forged': altered(ev?.L?.[i]?.B) });
}

const verify = ({ id }: Snapshot) => engine.fixture.store.verify?.(id, engine.fixture.now);

/** Returns a task with five events: submitted, claimed, failed, claimed, succeeded. */
async function lived(): Promise<Snapshot> {
  const { fixture } = engine;
  const failed = await fixture.fail(await fixture.claim(await fixture.accept()), 0);
  return fixture.succeed(await fixture.claim(await fixture.makeReady(failed)));
}

/** Returns a waiting task with so many attempts that its first events were moved out of its head. */
async function long(attempts = 15): Promise<Snapshot> {
  const { fixture } = engine;
  const task = await fixture.accept({ options: { retry: { maxAttempts: 100 } } });
  return again(task, attempts);
}

async function again(task: Snapshot, attempts: number): Promise<Snapshot> {
  const { fixture } = engine;
  let last = task;
  for (let i = 0; i < attempts; i++) {
    last = await fixture.makeReady(await fixture.fail(await fixture.claim(last), 0));
  }
  return last;
}

test('a task history that nobody altered has no fault, whatever happened to the task', async () => {
  const { fixture } = engine;
  expect(await verify(await fixture.accept())).toEqual({ queue, events: 1, fault: undefined });
  const delayed = await fixture.accept({ options: { delayMs: 5_000 } });
  expect(await verify(delayed)).toMatchObject({ events: 1, fault: undefined });
  expect(await verify(await lived())).toMatchObject({ events: 5, fault: undefined });
  const task = await long();
  expect((await movedOut(task)).length).toBeGreaterThan(1);
  expect(await verify(task)).toMatchObject({ events: 31, fault: undefined });
  const laned = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
  await fixture.store.leaveLane(fixture.lane('ann'), laned.id, laned.laneSeq);
  const redriven = await fixture.redrive(await fixture.finishHandOver(laned), true);
  expect(await verify(redriven)).toMatchObject({ events: 4, fault: undefined });
  const late = { key: 'k', options: { windowMs: 60_000 } };
  await fixture.cancel(await fixture.accept(late));
  await fixture.clock.advance(60_000);
  const second = await fixture.claim(await fixture.accept(late));
  expect(second.id).toContain('~');
  expect(await verify(second)).toMatchObject({ events: 2, fault: undefined });
});

test('a task that never existed or has expired has no history to verify', async () => {
  const { fixture } = engine;
  const task = await lived();
  expect(await fixture.store.verify?.('nobody', fixture.now)).toBeUndefined();
  expect(await fixture.store.verify?.(task.id.replace('.', '~'), fixture.now)).toBeUndefined();
  expect(await fixture.store.verify?.(task.id, task.submission.expiresAtMs)).toBeUndefined();
});

test('the verification of a history finds an altered event in the head, even the last event', async () => {
  const task = await lived();
  const before = await itemAt(head(task));
  for (const [i, event] of [2, 3, 4, 5].entries()) {
    await alterEvent(before, i);
    expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event } });
    await write(head(task), 'SET ev = :before', { ':before': before.ev });
  }
  expect(await verify(task)).toMatchObject({ fault: undefined });
});

test('the verification of a history finds exchanged, duplicated and removed events', async () => {
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

test('the verification of a history finds an altered payload or type of the submission after the task was claimed', async () => {
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

test('the verification of a history finds an altered submission of a task that waits for its scheduled start time', async () => {
  const task = await engine.fixture.accept({ options: { delayMs: 5_000 } });
  const { b } = await itemAt(submission(task));
  await write(submission(task), 'SET b = :forged', { ':forged': altered(b?.B) });
  expect(await verify(task)).toMatchObject({ events: 1, fault: { kind: 'changed', event: 1 } });
});

test('the verification of a history finds an altered or missing event among the events moved out of the head', async () => {
  const task = await long();
  const [first, second] = await movedOut(task);
  if (first === undefined || second === undefined) expect.fail('nothing was moved out');
  await alterEvent(second, 1);
  const event = Number(second.f?.N) + 1;
  expect(await verify(task)).toMatchObject({ events: 31, fault: { kind: 'changed', event } });
  await remove({ pk: pk(task), sk: first.sk ?? {} } as Item);
  expect(await verify(task)).toMatchObject({ events: 31, fault: { kind: 'missing', event: 2 } });
});

test('the verification of a history compares the copy of an event outside the head with the same event in the head', async () => {
  const task = await lived();
  const { at, ev } = await itemAt(head(task));
  // A process that dies before it removes the copied events from the head leaves such a copy.
  const copy = { pk: pk(task), sk: { S: 'E#000002-000003' } };
  const events = { L: ev?.L?.slice(0, 2) ?? [] };
  await engine.parts.client.send(
    new PutItemCommand({
      TableName: engine.table,
      Item: { ...copy, at: at ?? { N: '0' }, f: { N: '2' }, ev: events },
    }),
  );
  expect(await verify(task)).toMatchObject({ fault: undefined });
  await alterEvent(await itemAt(copy), 0);
  expect(await verify(task)).toMatchObject({ fault: { kind: 'changed', event: 2 } });
});

test('the verification of a history finds that events at the end were cut off', async () => {
  const task = await lived();
  await write(head(task), 'SET v = :v REMOVE ev[3]', { ':v': { N: '4' } });
  expect(await verify(task)).toMatchObject({ events: 4, fault: { kind: 'changed', event: 4 } });
});

test('the verification of a history finds the deletion of the head only if events were moved out of the head before', async () => {
  const task = await long();
  await remove(head(task));
  expect(await verify(task)).toMatchObject({ events: 1, fault: { kind: 'uncounted', event: 2 } });
  const short = await lived();
  await remove(head(short));
  expect(await verify(short)).toMatchObject({ events: 1, fault: undefined });
});

test('the verification of a history finds an altered event even after another process has added events', async () => {
  const { fixture } = engine;
  const failed = await fixture.fail(await fixture.claim(await fixture.accept()), 0);
  await alterEvent(await itemAt(head(failed)), 1);
  fixture.engine = { ...fixture.engine, store: engine.another().store };
  const task = await fixture.succeed(
    await fixture.claim(await fixture.makeReady(await fixture.read(failed))),
  );
  expect(await verify(task)).toMatchObject({ events: 5, fault: { kind: 'changed', event: 3 } });
});

test('a task that gets new events while its history is read is not reported as altered', async () => {
  const task = await long(10);
  let during: Promise<unknown> | undefined;
  engine.parts.client.middlewareStack.add(
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

test('an unreadable event is reported as damage of its task, and the history can still be verified', async () => {
  const { fixture } = engine;
  const task = await lived();
  await write(head(task), 'SET ev[1] = :garbage', {
    ':garbage': { B: Uint8Array.from({ length: 12 }, () => 0xff) },
  });
  const damaged = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: task.id };
  await expect(fixture.store.read([task.id], fixture.now)).rejects.toMatchObject(damaged);
  await expect(fixture.store.history(task.id, 0)).rejects.toMatchObject(damaged);
  expect(await verify(task)).toMatchObject({ queue, fault: { kind: 'changed', event: 2 } });
});

test('a read of a history with a missing event fails as damaged instead of leaving the event out', async () => {
  const task = await long();
  const [first] = await movedOut(task);
  await remove({ pk: pk(task), sk: first?.sk ?? {} } as Item);
  await expect(engine.fixture.store.history(task.id, 0)).rejects.toMatchObject({
    reason: 'STORE_CORRUPT',
    message: expect.stringContaining('event 2 is missing'),
  });
});

test('the result of a verification is given only to callers with access to the tenant and the queue', async () => {
  const { fixture, clock } = engine;
  const options = { ...fixture.engine, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const api = createApi({ service, clock, log: silentLog, node: 'node-1' });
  const { id } = await lived();
  const by = (tenant: string, identity: Partial<Identity> = {}) =>
    api.call(
      TaskService.method.verifyTaskHistory,
      create(VerifyTaskHistoryRequestSchema, { id, tenant }),
      callContext({ ...anyone, ...identity }),
    );
  expect(await by('acme')).toMatchObject({ events: 5, fault: HistoryFault.UNSPECIFIED, faultVersion: 0 });
  expect(await by('acme', { queues: ['mail'] })).toMatchObject({ events: 5 });
  const unknown = { code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' };
  await expect(by('other')).rejects.toMatchObject(unknown);
  await expect(by('acme', { queues: ['other'] })).rejects.toMatchObject(unknown);
});
