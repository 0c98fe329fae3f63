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
import { clientAt, type Stand, standAt, tableName } from './stand.ts';

let dynoxide: Dynoxide;
let stand: Stand;
let nowMs = 0;

beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  nowMs = 0;
  stand = await standAt(dynoxide.endpoint, { now: () => nowMs });
});
afterEach(() => stand.close());

type Key = { pk: { S: string }; sk: { S: string } };
const key = (id: string): Key => ({ pk: { S: id }, sk: { S: 'S' } });
const put = (id: string, more: Record<string, { S: string } | { N: string }> = {}): PutItemCommand =>
  new PutItemCommand({ TableName: tableName(), Item: { ...key(id), ...more } });
const due = (shard: string): Record<string, { S: string } | { N: string }> => ({
  d: { S: shard },
  n: { N: '1' },
});
const big = { text: { S: 'x'.repeat(9_500) } };

/** `true`, or the error's name. */
const outcome = (sent: Promise<unknown>): Promise<unknown> =>
  sent.then(
    () => true,
    (thrown) => thrown.name,
  );
const throttled = 'ProvisionedThroughputExceededException';

it('admits while the bucket holds anything, charges what a write really cost, and refills with time', async () => {
  await stand.proxy.set({ limits: [{ table: tableName(), writeUnitsPerS: 4 }] });
  expect(await outcome(stand.client.send(put('a', big)))).toBe(true); // 10 units of 4: 6 in debt
  expect(await outcome(stand.client.send(put('b')))).toBe(throttled);
  nowMs = 1_400;
  expect(await outcome(stand.client.send(put('b')))).toBe(throttled);
  nowMs = 1_600;
  expect(await outcome(stand.client.send(put('b')))).toBe(true);
  expect(
    await outcome(stand.client.send(new GetItemCommand({ TableName: tableName(), Key: key('b') }))),
  ).toBe(true);
});

it('keeps no more unused units than its burst', async () => {
  await stand.proxy.set({ limits: [{ writeUnitsPerS: 4, burstS: 2 }] });
  nowMs = 100_000;
  expect(await outcome(stand.client.send(put('a', big)))).toBe(true); // 10 units of 8
  expect(await outcome(stand.client.send(put('b')))).toBe(throttled);
});

it('throws the typed error with its reasons for a single request, provisioned and on demand', async () => {
  await stand.proxy.set({ limits: [{ table: tableName(), writeUnitsPerS: 0 }] });
  await expect(stand.client.send(put('a'))).rejects.toMatchObject({
    name: throttled,
    ThrottlingReasons: [
      { reason: 'TableWriteProvisionedThroughputExceeded', resource: expect.stringContaining(tableName()) },
    ],
    $retryable: undefined,
  });
  await stand.proxy.set({ billing: 'onDemand' });
  await expect(stand.client.send(put('a'))).rejects.toMatchObject({ name: 'ThrottlingException' });
});

it('is retried by the SDK as a throttle until units are there again', async () => {
  await stand.proxy.set({ limits: [{ writeUnitsPerS: 0 }] });
  stand.proxy.hook({
    beforeRequest: async (n) => {
      if (n === 2) void stand.proxy.set({ limits: [] });
      return undefined;
    },
  });
  const retrying = clientAt(stand.proxy.url, 3);
  const { $metadata } = await retrying.send(put('a'));
  expect($metadata).toMatchObject({ attempts: 2 });
  expect($metadata.totalRetryDelay).toBeGreaterThan(0);
  retrying.destroy();
});

it('cancels a transaction with a reason for each item', async () => {
  const transaction = new TransactWriteItemsCommand({
    TransactItems: ['cold', 'hot'].map((id) => ({ Put: { TableName: tableName(), Item: key(id) } })),
  });
  await stand.proxy.set({ limits: [{ partitionKey: 'hot', writeUnitsPerS: 0 }] });
  await expect(stand.client.send(transaction)).rejects.toMatchObject({
    name: 'TransactionCanceledException',
    CancellationReasons: [{ Code: 'None' }, { Code: 'ProvisionedThroughputExceeded' }],
  });
  await stand.proxy.set({ billing: 'onDemand' });
  await expect(stand.client.send(transaction)).rejects.toMatchObject({
    CancellationReasons: [{ Code: 'None' }, { Code: 'ThrottlingError' }],
  });
});

it('leaves the throttled items of a batch unprocessed and writes the others', async () => {
  const batch = new BatchWriteItemCommand({
    RequestItems: { [tableName()]: ['cold', 'hot'].map((id) => ({ PutRequest: { Item: key(id) } })) },
  });
  await stand.proxy.set({ limits: [{ partitionKey: 'hot', writeUnitsPerS: 0 }] });
  const { UnprocessedItems } = await stand.client.send(batch);
  expect(UnprocessedItems).toEqual({ [tableName()]: [{ PutRequest: { Item: key('hot') } }] });
  const read = (id: string) =>
    stand.direct.send(new GetItemCommand({ TableName: tableName(), Key: key(id) }));
  expect((await read('cold')).Item).toEqual(key('cold'));
  expect((await read('hot')).Item).toBeUndefined();
});

it('gives each partition key a bucket of its own where it is told to', async () => {
  await stand.proxy.set({ limits: [{ partitionKey: 'each', writeUnitsPerS: 1 }] });
  expect(await outcome(stand.client.send(put('a')))).toBe(true);
  expect(await outcome(stand.client.send(put('a')))).toBe(throttled);
  expect(await outcome(stand.client.send(put('b')))).toBe(true);
});

it('throttles only one hot shard of an index: its writes in and out, its reads, and nothing else', async () => {
  await stand.client.send(put('in', due('L#3')));
  const limits = [{ index: 'due', partitionKey: 'L#3', writeUnitsPerS: 0, readUnitsPerS: 0 }];
  await stand.proxy.set({ limits });
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
    outcome(stand.client.send(command as PutItemCommand));
  expect(await send(put('new', due('L#3')))).toBe(throttled);
  expect(await send(put('new', due('L#4')))).toBe(true);
  expect(await send(update('in', 'SET o = :o', { ':o': { S: '1' } }))).toBe(true);
  expect(await send(update('in', 'SET q = :q', { ':q': { S: '1' } }))).toBe(throttled);
  expect(await send(update('in', 'REMOVE d'))).toBe(throttled);
  expect(await send(update('new', 'SET d = :d', { ':d': { S: 'L#3' } }))).toBe(throttled);
  const remove = new DeleteItemCommand({ TableName: tableName(), Key: key('in') });
  expect(await outcome(stand.client.send(remove))).toBe(throttled);
  const query = (shard: string): QueryCommand =>
    new QueryCommand({
      TableName: tableName(),
      IndexName: 'due',
      KeyConditionExpression: '#d = :d',
      ExpressionAttributeNames: { '#d': 'd' },
      ExpressionAttributeValues: { ':d': { S: shard } },
    });
  await expect(stand.client.send(query('L#3'))).rejects.toMatchObject({
    ThrottlingReasons: [{ reason: 'IndexReadKeyRangeThroughputExceeded' }],
  });
  expect((await stand.client.send(query('L#4'))).Count).toBe(1);
});

it('charges an index by what the stand-in says it wrote', async () => {
  await stand.proxy.set({ limits: [{ index: 'due', writeUnitsPerS: 1 }] });
  expect(await outcome(stand.client.send(put('a')))).toBe(true); // no entry, no unit
  expect(await outcome(stand.client.send(put('a', due('L#1'))))).toBe(true);
  expect(await outcome(stand.client.send(put('b', due('L#2'))))).toBe(throttled);
  expect(await outcome(stand.client.send(put('c', { n: { N: '1' } })))).toBe(true);
  const leave = new UpdateItemCommand({
    TableName: tableName(),
    Key: key('c'),
    UpdateExpression: 'REMOVE d',
  });
  expect(await outcome(stand.client.send(leave))).toBe(true); // it was never in
});

it('charges a failed condition, and tells its callers of capacity only what they ask for', async () => {
  await stand.proxy.set({ limits: [{ writeUnitsPerS: 1.5 }] });
  const asked = (ReturnConsumedCapacity: 'TOTAL' | 'INDEXES' | undefined): Promise<unknown> =>
    stand.client
      .send(new GetItemCommand({ TableName: tableName(), Key: key('a'), ReturnConsumedCapacity }))
      .then(({ ConsumedCapacity }) => ConsumedCapacity && Object.keys(ConsumedCapacity).sort());
  expect(await asked(undefined)).toBeUndefined();
  expect(await asked('TOTAL')).toEqual(['CapacityUnits', 'TableName']);
  expect(await asked('INDEXES')).toEqual(['CapacityUnits', 'Table', 'TableName']);
  const failing = new PutItemCommand({
    TableName: tableName(),
    Item: key('a'),
    ConditionExpression: 'attribute_exists(pk)',
  });
  expect(await outcome(stand.client.send(failing))).toBe('ConditionalCheckFailedException');
  expect(await outcome(stand.client.send(failing))).toBe('ConditionalCheckFailedException');
  expect(await outcome(stand.client.send(failing))).toBe(throttled);
});

it('throttles by chance as well, each kind of request in its own shape', async () => {
  await stand.proxy.set({ chance: { throttle: 1 } });
  expect(await outcome(stand.client.send(put('a')))).toBe(throttled);
  const transaction = new TransactWriteItemsCommand({
    TransactItems: [{ Put: { TableName: tableName(), Item: key('a') } }],
  });
  expect(await outcome(stand.client.send(transaction))).toBe('TransactionCanceledException');
});
