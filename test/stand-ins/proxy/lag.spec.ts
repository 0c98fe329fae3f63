import {
  BatchGetItemCommand,
  DeleteItemCommand,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Dynoxide, startDynoxide } from '../dynoxide.ts';
import { type Stand, standAt, tableName } from './stand.ts';

let dynoxide: Dynoxide;
let stand: Stand;

beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  stand = await standAt(dynoxide.endpoint);
});
afterEach(() => stand.close());

const key = (id: string) => ({ pk: { S: id }, sk: { S: 'S' } });
const item = (id: string, n: number, q = '') => ({
  ...key(id),
  d: { S: 'L#1' },
  n: { N: String(n) },
  q: { S: q },
});
const put = (id: string, n: number, q = '') =>
  stand.client.send(new PutItemCommand({ TableName: tableName(), Item: item(id, n, q) }));
const setQ = (id: string, q: string) =>
  stand.client.send(
    new UpdateItemCommand({
      TableName: tableName(),
      Key: key(id),
      UpdateExpression: 'SET q = :q',
      ExpressionAttributeValues: { ':q': { S: q } },
    }),
  );
async function indexed(): Promise<readonly string[]> {
  const { Items = [] } = await stand.client.send(
    new QueryCommand({
      TableName: tableName(),
      IndexName: 'due',
      KeyConditionExpression: 'd = :d',
      ExpressionAttributeValues: { ':d': { S: 'L#1' } },
    }),
  );
  return Items.map(({ pk, q }) => `${pk?.S}${q?.S}`);
}
async function read(id: string, ConsistentRead = false): Promise<string | undefined> {
  const { Item } = await stand.client.send(
    new GetItemCommand({ TableName: tableName(), Key: key(id), ConsistentRead }),
  );
  return Item?.q?.S;
}

it('answers an index read from before a write, then, when its lag is over, from after it', async () => {
  await put('old', 1);
  await stand.proxy.set({ indexLag: { upToMs: 400 } });
  await put('new', 2);
  expect(await indexed()).toEqual(['old']);
  expect(await read('new', true)).toBe('');
  await expect.poll(indexed, { timeout: 1_000 }).toEqual(['old', 'new']);
});

it('lets the images of an item arrive in their order, and a deletion last', async () => {
  await stand.proxy.set({ indexLag: { upToMs: 120 } });
  await put('a', 1, '0');
  const seen: string[] = [];
  for (let i = 1; i < 8; i++) {
    await setQ('a', String(i));
    seen.push(...(await indexed()));
  }
  await stand.client.send(new DeleteItemCommand({ TableName: tableName(), Key: key('a') }));
  while ((await indexed()).length > 0) seen.push(...(await indexed()));
  expect(seen).toEqual([...seen].sort());
  expect(new Set(seen).size).toBeGreaterThan(1);
});

it('learns from transactions, and catches up at once when it is told to', async () => {
  await stand.proxy.set({ indexLag: { upToMs: 60_000 } });
  const TransactItems = ['a', 'b'].map((id, i) => ({ Put: { TableName: tableName(), Item: item(id, i) } }));
  await stand.client.send(new TransactWriteItemsCommand({ TransactItems }));
  expect(await indexed()).toEqual([]);
  await stand.proxy.caughtUp();
  expect(await indexed()).toEqual(['a', 'b']);
});

it('answers a read that is not consistent one version back, and a consistent one from now', async () => {
  await stand.proxy.set({ staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY } });
  await put('a', 1, '1');
  expect([await read('a'), await read('a', true)]).toEqual([undefined, '1']);
  await setQ('a', '2');
  await setQ('a', '3');
  expect([await read('a'), await read('a', true)]).toEqual(['2', '3']);
  const batch = await stand.client.send(
    new BatchGetItemCommand({ RequestItems: { [tableName()]: { Keys: [key('a')] } } }),
  );
  expect(batch.Responses?.[tableName()]?.[0]?.q?.S).toBe('2');
  const query = await stand.client.send(
    new QueryCommand({
      TableName: tableName(),
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: 'a' } },
      ReturnConsumedCapacity: 'TOTAL',
    }),
  );
  expect(query.Items?.[0]?.q?.S).toBe('2');
  expect(query.ConsumedCapacity?.TableName).toBe(tableName());
});

it('lets a stale read catch up after its lag, and only a share of the reads be stale', async () => {
  await put('a', 1, '1');
  await stand.proxy.set({ staleReads: { share: 0.5, upToMs: Number.POSITIVE_INFINITY } });
  await setQ('a', '2');
  const reads: unknown[] = [];
  for (let i = 0; i < 12; i++) reads.push(await read('a'));
  expect(new Set(reads)).toEqual(new Set(['1', '2']));
  await stand.proxy.set({ staleReads: { share: 1, upToMs: 100 } });
  await setQ('a', '3');
  expect(await read('a')).toBe('2');
  await expect.poll(() => read('a'), { timeout: 1_000 }).toBe('3');
});

it('stays one version back when an older lag ends after newer writes', async () => {
  await stand.proxy.set({ staleReads: { share: 1, upToMs: 60 } });
  for (const q of ['1', '2']) await put('a', 1, q);
  await stand.proxy.set({ staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY } });
  for (const q of ['3', '4']) await put('a', 1, q);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await read('a')).toBe('3');
});

it('does not let a failed condition, or the copies, be seen', async () => {
  await stand.proxy.set({ indexLag: { upToMs: 0 }, staleReads: { share: 1, upToMs: 0 } });
  await put('a', 1, '1');
  const failing = new PutItemCommand({
    TableName: tableName(),
    Item: item('a', 1, '2'),
    ConditionExpression: 'attribute_not_exists(pk)',
  });
  await expect(stand.client.send(failing)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  expect([await read('a'), await indexed()]).toEqual(['1', ['a1']]);
  const { TableNames } = await stand.client.send(new ListTablesCommand({}));
  expect(TableNames?.filter((name) => name.startsWith(tableName()))).toEqual([tableName()]);
});

it('answers from the tables themselves once the lags are switched off', async () => {
  await stand.proxy.set({
    indexLag: { upToMs: 60_000 },
    staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY },
  });
  await put('a', 1, '1');
  await stand.proxy.set({ indexLag: undefined, staleReads: undefined });
  expect([await read('a'), await indexed()]).toEqual(['1', ['a1']]);
});
