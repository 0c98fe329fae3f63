/** `show --verify` against servers on the table and on the embedded store: what people read, what programs read, the status. */
import { DeleteItemCommand, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { tableClient } from '../../src/engines/aws/index.ts';
import type { Item } from '../../src/engines/aws/table/schema/keys.ts';
import { type Serving, serve } from '../../src/node/node.ts';
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
let onTable: Serving;
let embedded: Serving;

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

function at({ listening }: Serving, ...argv: readonly string[]) {
  return holdfast(...argv, '--url', `holdfast+plaintext://127.0.0.1:${listening.grpcPort}`);
}

/** Submitted and cancelled: two events, the last of which the head closes. */
async function cancelled(serving: Serving): Promise<string> {
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

/** Another asker than it was. */
const byAnother = (event: Uint8Array) => event.with(event.length - 1, event.at(-1) === 120 ? 121 : 120);

test('a history that is whole is said to be, with its events where they are asked for', async () => {
  const id = await cancelled(onTable);
  const told = await at(onTable, 'show', id, '--verify');
  expect(told).toMatchObject({ code: 0, err: '' });
  expect(told.out.startsWith(`id             ${id}\n`)).toBe(true);
  expect(told.out).toMatch(/\nhistory {8}whole, 2 events\n$/);
  const asked = await at(onTable, 'show', id, '--verify', '--history', '--json');
  expect(asked.json).toMatchObject({ id, verified: { whole: true, events: 2 } });
  expect(asked.json.history).toHaveLength(2);
  expect((await at(onTable, 'show', id, '--json')).json).not.toHaveProperty('verified');
});

test('an event that was altered by hand is told with its number, beside the task: status 1', async () => {
  const id = await cancelled(onTable);
  await forge(id, byAnother);
  const told = await at(onTable, 'show', id, '--verify', '--history');
  expect(told.code).toBe(1);
  expect(told.out).toMatch(/ 2 {2}\S+ {2}cancelled/);
  expect(told.out).not.toContain('whole');
  expect(told.err).toContain(
    'The history is not what was written: event 2 of 2 was changed, or what followed it was cut off.\n',
  );
  const asked = await at(onTable, 'show', id, '--verify', '--json');
  const violations = [{ field: 'event 2', description: expect.stringContaining('was changed') }];
  const error = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: id, violations };
  expect(asked).toMatchObject({ code: 1, json: { error } });
  // Nobody asked.
  expect((await at(onTable, 'show', id)).code).toBe(0);
});

test('of a task that can no longer be read, it is told which event it is', async () => {
  const id = await cancelled(onTable);
  await forge(id, (event) => event.fill(0xff));
  const told = await at(onTable, 'show', id, '--verify');
  expect(told).toMatchObject({ code: 1, out: '' });
  expect(told.err).toContain('event 1 of 2 was changed, or what followed it was replaced.');
  const read = await at(onTable, 'show', id, '--json');
  expect(read.json.error).toMatchObject({ code: 'DATA_LOSS', reason: 'STORE_CORRUPT', taskId: id });
});

test('a store without a chain says so: status 4, neither whole nor changed', async () => {
  const id = await cancelled(embedded);
  const told = await at(embedded, 'show', id, '--verify');
  expect(told).toMatchObject({ code: 4, out: '' });
  expect(told.err).toContain('This store keeps no chain of hashes');
  const asked = await at(embedded, 'show', id, '--verify', '--json');
  expect(asked.json.error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_BUILT' });
});

test('a task that is not there is not found: status 3', async () => {
  expect((await at(onTable, 'show', 'nobody', '--verify')).code).toBe(3);
  const id = await cancelled(onTable);
  await client.send(new DeleteItemCommand({ TableName: table, Key: { ...headOf(id), sk: { S: 'S' } } }));
  expect((await at(onTable, 'show', id, '--verify')).code).toBe(3);
});

test('over HTTP it is a call as the others', async () => {
  const id = await cancelled(onTable);
  const ask = async () => {
    const url = `http://127.0.0.1:${onTable.listening.httpPort}/holdfast.v1.TaskService/VerifyTaskHistory`;
    const headers = { 'content-type': 'application/json' };
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ id }) })).json();
  };
  expect(await ask()).toEqual({ events: 2 });
  await forge(id, byAnother);
  expect(await ask()).toEqual({ events: 2, fault: 'HISTORY_FAULT_CHANGED', faultAt: 2 });
});
