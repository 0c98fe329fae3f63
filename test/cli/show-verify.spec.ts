/**
 * Tests `show --verify` against servers on DynamoDB and on the embedded store: its text, its JSON and its exit status.
 */
import { DeleteItemCommand, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { tableClient } from '../../src/engines/aws/index.ts';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { holdfast } from './command-server.ts';

const table = 'verified';
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let client: ReturnType<typeof tableClient>;
let onTable: RunningServer;
let embedded: RunningServer;

const common = { clock: systemClock(), log: silentLog } as const;
const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;

beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  client = tableClient(clientOf(dynoxide.endpoint));
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  const store = { table, region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: ['default'], priorities: undefined, check: false });
  onTable = await serve({ ...common, store, grpc: free, http: free });
  embedded = await serve({ ...common, store: 'memory:', grpc: free });
});
afterAll(async () => {
  client.destroy();
  await Promise.all([onTable.close(0), embedded.close(0)]);
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

function at({ listening }: RunningServer, ...argv: readonly string[]) {
  return holdfast(...argv, '--url', `holdfast+plaintext://127.0.0.1:${listening.grpcPort}`);
}

/** Submits and cancels a task, whose history then has two events, and returns its id. */
async function cancelledTask(serving: RunningServer): Promise<string> {
  const { id } = (await at(serving, 'submit', 'note', '"a"', '--json')).json;
  await at(serving, 'cancel', id);
  return id;
}

const headOf = (id: string) => ({ pk: { S: `T#${id.split('.')[0]}` }, sk: { S: 'H' } });

async function forge(id: string, forged: (event: Uint8Array) => Uint8Array): Promise<void> {
  const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: headOf(id) }));
  await client.send(
    new UpdateItemCommand({
      TableName: table,
      Key: headOf(id),
      UpdateExpression: 'SET ev[0] = :forged',
      ExpressionAttributeValues: {
        ':forged': { B: forged((Item as Item).ev?.L?.[0]?.B ?? new Uint8Array(0)) },
      },
    }),
  );
}

/** Changes the last byte of an event, which belongs to the name of the caller that cancelled the task. */
const withOtherActor = (event: Uint8Array) => event.with(event.length - 1, event.at(-1) === 120 ? 121 : 120);

test('holdfast show --verify prints that a history is whole, and with --history also its events', async () => {
  const id = await cancelledTask(onTable);
  const plain = await at(onTable, 'show', id, '--verify');
  expect(plain).toMatchObject({ code: 0, err: '' });
  expect(plain.out.startsWith(`id             ${id}\n`)).toBe(true);
  expect(plain.out).toMatch(/\nhistory {8}whole, 2 events\n$/);
  const asJson = await at(onTable, 'show', id, '--verify', '--history', '--json');
  expect(asJson.json).toMatchObject({ id, verified: { whole: true, events: 2 } });
  expect(asJson.json.history).toHaveLength(2);
  expect((await at(onTable, 'show', id, '--json')).json).not.toHaveProperty('verified');
});

test('holdfast show --verify prints the task and the number of its altered event, and ends with status 1', async () => {
  const id = await cancelledTask(onTable);
  await forge(id, withOtherActor);
  const plain = await at(onTable, 'show', id, '--verify', '--history');
  expect(plain.code).toBe(1);
  expect(plain.out).toMatch(/ 2 {2}\S+ {2}cancelled/);
  expect(plain.out).not.toContain('whole');
  expect(plain.err).toContain(
    'The history differs from the one that was written: event 2 of 2 was changed, or what followed it was cut off.\n',
  );
  const asJson = await at(onTable, 'show', id, '--verify', '--json');
  const violations = [{ field: 'event 2', description: expect.stringContaining('was changed') }];
  const error = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: id, violations };
  expect(asJson).toMatchObject({ code: 1, json: { error } });
  // Without --verify the history is not checked.
  expect((await at(onTable, 'show', id)).code).toBe(0);
});

test('holdfast show --verify names the altered event of a task that can no longer be read', async () => {
  const id = await cancelledTask(onTable);
  await forge(id, (event) => event.fill(0xff));
  const plain = await at(onTable, 'show', id, '--verify');
  expect(plain).toMatchObject({ code: 1, out: '' });
  expect(plain.err).toContain('event 1 of 2 was changed, or what followed it was replaced.');
  const read = await at(onTable, 'show', id, '--json');
  expect(read.json.error).toMatchObject({ code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: id });
});

test('holdfast show --verify ends with status 4 on a store that keeps no chain of hashes', async () => {
  const id = await cancelledTask(embedded);
  const plain = await at(embedded, 'show', id, '--verify');
  expect(plain).toMatchObject({ code: 4, out: '' });
  expect(plain.err).toContain('This store keeps no chain of hashes');
  const asJson = await at(embedded, 'show', id, '--verify', '--json');
  expect(asJson.json.error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_BUILT' });
});

test('holdfast show --verify ends with status 3 for a task that does not exist', async () => {
  expect((await at(onTable, 'show', 'nobody', '--verify')).code).toBe(3);
  const id = await cancelledTask(onTable);
  await client.send(new DeleteItemCommand({ TableName: table, Key: { ...headOf(id), sk: { S: 'S' } } }));
  expect((await at(onTable, 'show', id, '--verify')).code).toBe(3);
});

test('VerifyTaskHistory reports an altered event over HTTP', async () => {
  const id = await cancelledTask(onTable);
  const verify = async () => {
    const url = `http://127.0.0.1:${onTable.listening.httpPort}/holdfast.v1.TaskService/VerifyTaskHistory`;
    const headers = { 'content-type': 'application/json' };
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ id }) })).json();
  };
  expect(await verify()).toEqual({ events: 2 });
  await forge(id, withOtherActor);
  expect(await verify()).toEqual({ events: 2, fault: 'HISTORY_FAULT_CHANGED', faultVersion: 2 });
});
