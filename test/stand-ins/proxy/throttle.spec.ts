import {
  BatchWriteItemCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Dynoxide, startDynoxide } from '../dynoxide.ts';
import { clientAt, type ProxyFixture, startProxyFixture, tableName } from './proxy-fixture.ts';

let dynoxide: Dynoxide;
let fixture: ProxyFixture;
let nowMs = 0;

beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  nowMs = 0;
  fixture = await startProxyFixture(dynoxide.endpoint, { now: () => nowMs });
});
afterEach(() => fixture.close());

type Key = { pk: { S: string }; sk: { S: string } };
const key = (id: string): Key => ({ pk: { S: id }, sk: { S: 'S' } });
const put = (id: string, more: Record<string, { S: string } | { N: string }> = {}): PutItemCommand =>
  new PutItemCommand({ TableName: tableName(), Item: { ...key(id), ...more } });
const due = (shard: string): Record<string, { S: string } | { N: string }> => ({
  d: { S: shard },
  n: { N: '1' },
});
const big = { text: { S: 'x'.repeat(9_500) } };

/** Returns `true` if the request succeeds, else the name of its error. */
const outcome = (sent: Promise<unknown>): Promise<unknown> =>
  sent.then(
    () => true,
    (thrown) => thrown.name,
  );
const throttled = 'ProvisionedThroughputExceededException';

it('a token bucket admits requests while it holds units, charges the real cost of a write, and refills with time', async () => {
  await fixture.proxy.set({ limits: [{ table: tableName(), writeUnitsPerS: 4 }] });
  // This write costs 10 units. The token bucket held 4 units and is now 6 units in debt.
  expect(await outcome(fixture.client.send(put('a', big)))).toBe(true);
  expect(await outcome(fixture.client.send(put('b')))).toBe(throttled);
  nowMs = 1_400;
  expect(await outcome(fixture.client.send(put('b')))).toBe(throttled);
  nowMs = 1_600;
  expect(await outcome(fixture.client.send(put('b')))).toBe(true);
  expect(
    await outcome(fixture.client.send(new GetItemCommand({ TableName: tableName(), Key: key('b') }))),
  ).toBe(true);
});

it('a token bucket keeps no more unused units than its burst', async () => {
  await fixture.proxy.set({ limits: [{ writeUnitsPerS: 4, burstS: 2 }] });
  nowMs = 100_000;
  // This write costs 10 units. The token bucket held 8 units and is now 2 units in debt.
  expect(await outcome(fixture.client.send(put('a', big)))).toBe(true);
  expect(await outcome(fixture.client.send(put('b')))).toBe(throttled);
});

it('the DynamoDB proxy answers a throttled request with the typed error of the billing mode and the reasons', async () => {
  await fixture.proxy.set({ limits: [{ table: tableName(), writeUnitsPerS: 0 }] });
  await expect(fixture.client.send(put('a'))).rejects.toMatchObject({
    name: throttled,
    ThrottlingReasons: [
      { reason: 'TableWriteProvisionedThroughputExceeded', resource: expect.stringContaining(tableName()) },
    ],
    $retryable: undefined,
  });
  await fixture.proxy.set({ billing: 'onDemand' });
  await expect(fixture.client.send(put('a'))).rejects.toMatchObject({ name: 'ThrottlingException' });
});

it('the SDK retries a throttled request until the token bucket holds units again', async () => {
  await fixture.proxy.set({ limits: [{ writeUnitsPerS: 0 }] });
  fixture.proxy.hook({
    beforeRequest: async (n) => {
      if (n === 2) void fixture.proxy.set({ limits: [] });
      return undefined;
    },
  });
  const retrying = clientAt(fixture.proxy.url, 3);
  const { $metadata } = await retrying.send(put('a'));
  expect($metadata).toMatchObject({ attempts: 2 });
  expect($metadata.totalRetryDelay).toBeGreaterThan(0);
  retrying.destroy();
});

it('a throttled transaction is cancelled with a reason for each item', async () => {
  const transaction = new TransactWriteItemsCommand({
    TransactItems: ['cold', 'hot'].map((id) => ({ Put: { TableName: tableName(), Item: key(id) } })),
  });
  await fixture.proxy.set({ limits: [{ partitionKey: 'hot', writeUnitsPerS: 0 }] });
  await expect(fixture.client.send(transaction)).rejects.toMatchObject({
    name: 'TransactionCanceledException',
    CancellationReasons: [{ Code: 'None' }, { Code: 'ProvisionedThroughputExceeded' }],
  });
  await fixture.proxy.set({ billing: 'onDemand' });
  await expect(fixture.client.send(transaction)).rejects.toMatchObject({
    CancellationReasons: [{ Code: 'None' }, { Code: 'ThrottlingError' }],
  });
});

it('the throttled items of a batch are returned as unprocessed, and the other items are written', async () => {
  const batch = new BatchWriteItemCommand({
    RequestItems: { [tableName()]: ['cold', 'hot'].map((id) => ({ PutRequest: { Item: key(id) } })) },
  });
  await fixture.proxy.set({ limits: [{ partitionKey: 'hot', writeUnitsPerS: 0 }] });
  const { UnprocessedItems } = await fixture.client.send(batch);
  expect(UnprocessedItems).toEqual({ [tableName()]: [{ PutRequest: { Item: key('hot') } }] });
  const read = (id: string) =>
    fixture.direct.send(new GetItemCommand({ TableName: tableName(), Key: key(id) }));
  expect((await read('cold')).Item).toEqual(key('cold'));
  expect((await read('hot')).Item).toBeUndefined();
});

it('a limit for the partition key "each" gives every partition key a token bucket of its own', async () => {
  await fixture.proxy.set({ limits: [{ partitionKey: 'each', writeUnitsPerS: 1 }] });
  expect(await outcome(fixture.client.send(put('a')))).toBe(true);
  expect(await outcome(fixture.client.send(put('a')))).toBe(throttled);
  expect(await outcome(fixture.client.send(put('b')))).toBe(true);
});

it('a limit on one shard of an index throttles the reads and writes of that shard only', async () => {
  await fixture.client.send(put('in', due('L#3')));
  const limits = [{ index: 'due', partitionKey: 'L#3', writeUnitsPerS: 0, readUnitsPerS: 0 }];
  await fixture.proxy.set({ limits });
  const update = (
    id: string,
    expression: string,
    values?: Record<string, { S: string }>,
  ): UpdateItemCommand =>
    new UpdateItemCommand({
      TableName: tableName(),
      Key: key(id),
      UpdateExpression: expression,
      ExpressionAttributeValues: values,
    });
  const send = (command: UpdateItemCommand | PutItemCommand): Promise<unknown> =>
    outcome(fixture.client.send(command as PutItemCommand));
  expect(await send(put('new', due('L#3')))).toBe(throttled);
  expect(await send(put('new', due('L#4')))).toBe(true);
  expect(await send(update('in', 'SET o = :o', { ':o': { S: '1' } }))).toBe(true);
  expect(await send(update('in', 'SET q = :q', { ':q': { S: '1' } }))).toBe(throttled);
  expect(await send(update('in', 'REMOVE d'))).toBe(throttled);
  expect(await send(update('new', 'SET d = :d', { ':d': { S: 'L#3' } }))).toBe(throttled);
  const remove = new DeleteItemCommand({ TableName: tableName(), Key: key('in') });
  expect(await outcome(fixture.client.send(remove))).toBe(throttled);
  const query = (shard: string): QueryCommand =>
    new QueryCommand({
      TableName: tableName(),
      IndexName: 'due',
      KeyConditionExpression: '#d = :d',
      ExpressionAttributeNames: { '#d': 'd' },
      ExpressionAttributeValues: { ':d': { S: shard } },
    });
  await expect(fixture.client.send(query('L#3'))).rejects.toMatchObject({
    ThrottlingReasons: [{ reason: 'IndexReadKeyRangeThroughputExceeded' }],
  });
  expect((await fixture.client.send(query('L#4'))).Count).toBe(1);
});

it('the limit of an index is charged the write units that the stand-in reports for the index', async () => {
  await fixture.proxy.set({ limits: [{ index: 'due', writeUnitsPerS: 1 }] });
  expect(await outcome(fixture.client.send(put('a')))).toBe(true); // an item without an entry in the index costs the index no unit
  expect(await outcome(fixture.client.send(put('a', due('L#1'))))).toBe(true);
  expect(await outcome(fixture.client.send(put('b', due('L#2'))))).toBe(throttled);
  expect(await outcome(fixture.client.send(put('c', { n: { N: '1' } })))).toBe(true);
  const leave = new UpdateItemCommand({
    TableName: tableName(),
    Key: key('c'),
    UpdateExpression: 'REMOVE d',
  });
  expect(await outcome(fixture.client.send(leave))).toBe(true); // the item was not in the index
});

it('a write whose condition fails is charged, and a caller sees only the consumed capacity that it requested', async () => {
  await fixture.proxy.set({ limits: [{ writeUnitsPerS: 1.5 }] });
  const reported = (ReturnConsumedCapacity: 'TOTAL' | 'INDEXES' | undefined): Promise<unknown> =>
    fixture.client
      .send(new GetItemCommand({ TableName: tableName(), Key: key('a'), ReturnConsumedCapacity }))
      .then(({ ConsumedCapacity }) => ConsumedCapacity && Object.keys(ConsumedCapacity).sort());
  expect(await reported(undefined)).toBeUndefined();
  expect(await reported('TOTAL')).toEqual(['CapacityUnits', 'TableName']);
  expect(await reported('INDEXES')).toEqual(['CapacityUnits', 'Table', 'TableName']);
  const failing = new PutItemCommand({
    TableName: tableName(),
    Item: key('a'),
    ConditionExpression: 'attribute_exists(pk)',
  });
  expect(await outcome(fixture.client.send(failing))).toBe('ConditionalCheckFailedException');
  expect(await outcome(fixture.client.send(failing))).toBe('ConditionalCheckFailedException');
  expect(await outcome(fixture.client.send(failing))).toBe(throttled);
});

it('a request that is throttled by chance gets the error of its kind of request', async () => {
  await fixture.proxy.set({ chance: { throttle: 1 } });
  expect(await outcome(fixture.client.send(put('a')))).toBe(throttled);
  const transaction = new TransactWriteItemsCommand({
    TransactItems: [{ Put: { TableName: tableName(), Item: key('a') } }],
  });
  expect(await outcome(fixture.client.send(transaction))).toBe('TransactionCanceledException');
});
