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
import { type ProxyFixture, startProxyFixture, tableName } from './proxy-fixture.ts';

let dynoxide: Dynoxide;
let fixture: ProxyFixture;

beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  fixture = await startProxyFixture(dynoxide.endpoint);
});
afterEach(() => fixture.close());

const key = (id: string) => ({ pk: { S: id }, sk: { S: 'S' } });
const item = (id: string, n: number, q = '') => ({
  ...key(id),
  d: { S: 'L#1' },
  n: { N: String(n) },
  q: { S: q },
});
const put = (id: string, n: number, q = '') =>
  fixture.client.send(new PutItemCommand({ TableName: tableName(), Item: item(id, n, q) }));
const setQ = (id: string, q: string) =>
  fixture.client.send(
    new UpdateItemCommand({
      TableName: tableName(),
      Key: key(id),
      UpdateExpression: 'SET q = :q',
      ExpressionAttributeValues: { ':q': { S: q } },
    }),
  );
async function indexed(): Promise<readonly string[]> {
  const { Items = [] } = await fixture.client.send(
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
  const { Item } = await fixture.client.send(
    new GetItemCommand({ TableName: tableName(), Key: key(id), ConsistentRead }),
  );
  return Item?.q?.S;
}

it('a read of an index sees a write only after the lag of that write', async () => {
  await put('old', 1);
  await fixture.proxy.set({ indexLag: { upToMs: 600_000 } });
  await put('late', 2);
  expect(await indexed()).toEqual(['old']);
  expect(await read('late', true)).toBe('');
  await fixture.proxy.set({ indexLag: { upToMs: 50 } });
  await put('soon', 3);
  await expect.poll(indexed, { timeout: 10_000 }).toEqual(['old', 'soon']);
});

it('an index with a lag shows the versions of an item in order, and the deletion of the item last', async () => {
  await fixture.proxy.set({ indexLag: { upToMs: 120 } });
  await put('a', 1, '0');
  const seen: string[] = [];
  for (let i = 1; i < 8; i++) {
    await setQ('a', String(i));
    seen.push(...(await indexed()));
  }
  await fixture.client.send(new DeleteItemCommand({ TableName: tableName(), Key: key('a') }));
  while ((await indexed()).length > 0) seen.push(...(await indexed()));
  expect(seen).toEqual([...seen].sort());
  expect(new Set(seen).size).toBeGreaterThan(1);
});

it('an index with a lag shows the writes of a transaction after caughtUp()', async () => {
  await fixture.proxy.set({ indexLag: { upToMs: 60_000 } });
  const TransactItems = ['a', 'b'].map((id, i) => ({ Put: { TableName: tableName(), Item: item(id, i) } }));
  await fixture.client.send(new TransactWriteItemsCommand({ TransactItems }));
  expect(await indexed()).toEqual([]);
  await fixture.proxy.caughtUp();
  expect(await indexed()).toEqual(['a', 'b']);
});

it('an inconsistent read is one version behind, and a consistent read is current', async () => {
  await fixture.proxy.set({ staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY } });
  await put('a', 1, '1');
  expect([await read('a'), await read('a', true)]).toEqual([undefined, '1']);
  await setQ('a', '2');
  await setQ('a', '3');
  expect([await read('a'), await read('a', true)]).toEqual(['2', '3']);
  const batch = await fixture.client.send(
    new BatchGetItemCommand({ RequestItems: { [tableName()]: { Keys: [key('a')] } } }),
  );
  expect(batch.Responses?.[tableName()]?.[0]?.q?.S).toBe('2');
  const query = await fixture.client.send(
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

it('a share of the reads is stale, and a stale read becomes current after its lag', async () => {
  await put('a', 1, '1');
  await fixture.proxy.set({ staleReads: { share: 0.5, upToMs: Number.POSITIVE_INFINITY } });
  await setQ('a', '2');
  const reads: unknown[] = [];
  for (let i = 0; i < 12; i++) reads.push(await read('a'));
  expect(new Set(reads)).toEqual(new Set(['1', '2']));
  await fixture.proxy.set({ staleReads: { share: 1, upToMs: 600_000 } });
  await setQ('a', '3');
  expect(await read('a')).toBe('2');
  await fixture.proxy.set({ staleReads: { share: 1, upToMs: 50 } });
  await setQ('a', '4');
  await expect.poll(() => read('a'), { timeout: 10_000 }).toBe('4');
});

it('a stale read stays one version behind when the lag of an older write ends', async () => {
  await fixture.proxy.set({ staleReads: { share: 1, upToMs: 60 } });
  for (const q of ['1', '2']) await put('a', 1, q);
  await fixture.proxy.set({ staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY } });
  for (const q of ['3', '4']) await put('a', 1, q);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await read('a')).toBe('3');
});

it('a write whose condition failed does not reach the copies of the table, and ListTables hides the copies', async () => {
  await fixture.proxy.set({ indexLag: { upToMs: 0 }, staleReads: { share: 1, upToMs: 0 } });
  await put('a', 1, '1');
  const failing = new PutItemCommand({
    TableName: tableName(),
    Item: item('a', 1, '2'),
    ConditionExpression: 'attribute_not_exists(pk)',
  });
  await expect(fixture.client.send(failing)).rejects.toMatchObject({
    name: 'ConditionalCheckFailedException',
  });
  expect([await read('a'), await indexed()]).toEqual(['1', ['a1']]);
  const { TableNames } = await fixture.client.send(new ListTablesCommand({}));
  expect(TableNames?.filter((name) => name.startsWith(tableName()))).toEqual([tableName()]);
});

it('reads are current after index lag and stale reads were switched off', async () => {
  await fixture.proxy.set({
    indexLag: { upToMs: 60_000 },
    staleReads: { share: 1, upToMs: Number.POSITIVE_INFINITY },
  });
  await put('a', 1, '1');
  await fixture.proxy.set({ indexLag: undefined, staleReads: undefined });
  expect([await read('a'), await indexed()]).toEqual(['1', ['a1']]);
});
