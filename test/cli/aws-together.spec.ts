import { UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createTable, openTable, tableClient } from '../../src/engines/aws/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { answerOf, type Hooks } from '../stand-ins/proxy/call.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { holdfast } from './command-server.ts';

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let tables = 0;
let table: string;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});
beforeEach(() => {
  table = `together-${++tables}`;
});

function init(endpoint: string, ...argv: readonly string[]) {
  const endpoints = ['--endpoint-dynamodb', endpoint, '--endpoint-sqs', sqs.endpoint];
  return holdfast('aws', 'init', '--table', table, '--region', 'eu-central-1', ...endpoints, ...argv);
}

/** Opens a proxy that changes a queue's registration before each of the first `times` attempts to write it. */
async function withConcurrentChanges(
  times: number,
): Promise<{ endpoint: string; registered: () => Promise<unknown> }> {
  expect((await init(dynoxide.endpoint)).code).toBe(0);
  const { registry, close } = openTable({ table, clock: systemClock(), client: clientOf(dynoxide.endpoint) });
  const key = 'default/mail';
  let left = times;
  const proxy = await startDynamoProxy({
    upstream: dynoxide.endpoint,
    seed: 1,
    beforeRequest: async (_, { operation, keys }) => {
      if (operation !== 'PutItem' || !keys.some((one) => one.includes(key)) || left-- <= 0) return undefined;
      const found = await registry.get('queue', key);
      const setting = { onDead: 'hold', paused: false, priorities: ['normal', 'low'], changes: left };
      expect(await registry.put('queue', key, setting, found?.rev ?? 'absent')).toBe(true);
      return undefined;
    },
  });
  onTestFinished(async () => {
    await proxy.close();
    await close();
  });
  return { endpoint: proxy.url, registered: async () => (await registry.get('queue', key))?.value };
}

test('aws init keeps the priorities that another process registers at the same time', async () => {
  const { endpoint, registered } = await withConcurrentChanges(2);
  const { code, json } = await init(endpoint, '--queue', 'mail', '--priorities', 'high', '--json');
  expect(code).toBe(0);
  expect(json.queues).toMatchObject([{ did: 'corrected', priorities: ['high', 'normal', 'low'] }]);
  expect(json.queues[0].differs).toContain('its priorities were normal, low');
  expect(await registered()).toMatchObject({ onDead: 'hold', priorities: ['high', 'normal', 'low'] });
  expect((await init(dynoxide.endpoint, '--queue', 'mail', '--check')).code).toBe(0);
});

test('aws init ends with status 4 if another process changes the queue at each attempt, and keeps the setting of that process', async () => {
  const { endpoint, registered } = await withConcurrentChanges(1_000);
  const { code, json } = await init(endpoint, '--queue', 'mail', '--priorities', 'high', '--json');
  expect(code).toBe(4);
  expect(json.error).toMatchObject({ code: 'ABORTED', reason: 'CONFLICT' });
  expect(json.error.message).toContain("The queue 'mail' could not be registered");
  expect(await registered()).toMatchObject({ onDead: 'hold', priorities: ['normal', 'low'] });
});

async function proxyWith(beforeRequest: NonNullable<Hooks['beforeRequest']>): Promise<string> {
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1, beforeRequest });
  onTestFinished(() => proxy.close());
  return proxy.url;
}

test('aws init waits for a table that another process creates at the same time, and uses it', async () => {
  let describeCalls = 0;
  let others: Promise<boolean> | undefined;
  const endpoint = await proxyWith(async (_, { operation }) => {
    if (operation === 'CreateTable') {
      const client = tableClient(clientOf(dynoxide.endpoint));
      others = createTable(client, table, systemClock());
      expect(await others).toBe(true);
      client.destroy();
    }
    // AWS answers `CREATING` for some seconds after a table was created; the stand-in for DynamoDB never does.
    if (operation !== 'DescribeTable' || others === undefined || ++describeCalls > 2) return undefined;
    return answerOf(200, { Table: { TableName: table, TableStatus: 'CREATING' } });
  });
  const { code, json } = await init(endpoint, '--queue', 'mail', '--json');
  expect(json).toMatchObject({ table: { did: 'unchanged' }, queues: [{ did: 'created' }] });
  expect(code).toBe(0);
  expect(describeCalls).toBeGreaterThan(2);
});

test('aws init accepts that another process enabled the deletion of expired items first', async () => {
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  const ttl = (Enabled: boolean) =>
    client.send(
      new UpdateTimeToLiveCommand({
        TableName: table,
        TimeToLiveSpecification: { Enabled, AttributeName: 'x' },
      }),
    );
  await ttl(false);
  const endpoint = await proxyWith(async (_, { operation }) => {
    if (operation !== 'UpdateTimeToLive') return undefined;
    await ttl(true);
    return answerOf(400, {
      __type: 'com.amazon.coral.validate#ValidationException',
      message: 'TimeToLive is already enabled',
    });
  });
  const { code, json } = await init(endpoint, '--json');
  expect(json.table).toMatchObject({ did: 'corrected' });
  expect(code).toBe(0);
  client.destroy();
});
