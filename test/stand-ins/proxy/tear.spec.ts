import {
  BatchGetItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Dynoxide, startDynoxide } from '../dynoxide.ts';
import { type ProxyFixture, startProxyFixture, tableName } from './proxy-fixture.ts';
import { seedOfOrder } from './torn-order.ts';

let dynoxide: Dynoxide;
let fixture: ProxyFixture;

beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  // Of the three items of the first transaction, the last becomes visible first and the first one last.
  fixture = await startProxyFixture(dynoxide.endpoint, { seed: seedOfOrder(1, [2, 1, 0]) });
  await fixture.proxy.set({ tear: { share: 1, upToMs: 1_000 } });
});
afterEach(() => fixture.close());

const key = (sk: string) => ({ pk: { S: 'lane' }, sk: { S: sk } });
const names = ['1', '2', '3'] as const;

function putAll(q: string) {
  const TransactItems = names.map((sk) => ({
    Put: { TableName: tableName(), Item: { ...key(sk), q: { S: q } } },
  }));
  return fixture.client.send(new TransactWriteItemsCommand({ TransactItems }));
}

const shown = (items: readonly Record<string, { S?: string }>[] = []) =>
  items.map(({ sk, q }) => `${sk?.S}${q?.S}`).sort();

async function query(Limit?: number): Promise<readonly string[]> {
  const { Items } = await fixture.client.send(
    new QueryCommand({
      TableName: tableName(),
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: 'lane' } },
      ConsistentRead: true,
      Limit,
    }),
  );
  return shown(Items as never);
}

async function scan(): Promise<readonly string[]> {
  const { Items } = await fixture.client.send(
    new ScanCommand({ TableName: tableName(), ConsistentRead: true }),
  );
  return shown(Items as never);
}

async function batch(): Promise<readonly string[]> {
  const RequestItems = { [tableName()]: { Keys: names.map(key), ConsistentRead: true } };
  const { Responses } = await fixture.client.send(new BatchGetItemCommand({ RequestItems }));
  return shown(Responses?.[tableName()] as never);
}

async function inTransaction(): Promise<readonly string[]> {
  const TransactItems = names.map((sk) => ({ Get: { TableName: tableName(), Key: key(sk) } }));
  const { Responses = [] } = await fixture.client.send(new TransactGetItemsCommand({ TransactItems }));
  return shown(Responses.flatMap(({ Item }) => (Item === undefined ? [] : [Item])) as never);
}

it('the items of a torn transaction become visible to a Query, a Scan and a BatchGetItem one after the other, in an order by the seed', async () => {
  const written = putAll('a');
  for (const some of [['3a'], ['2a', '3a'], ['1a', '2a', '3a']]) {
    await expect.poll(() => query(), { interval: 5, timeout: 2_000 }).toEqual(some);
    if (some.length === 3) break;
    expect(await query(1)).toEqual(some.slice(0, 1));
    expect(await scan()).toEqual(some);
    expect(await batch()).toEqual(some);
  }
  await written;
});

it('GetItem and TransactGetItems show all items of a torn transaction once a Query shows one of them', async () => {
  const written = putAll('a');
  await expect.poll(() => query(), { interval: 5 }).toEqual(['3a']);
  expect(await inTransaction()).toEqual(['1a', '2a', '3a']);
  const get = new GetItemCommand({ TableName: tableName(), Key: key('1'), ConsistentRead: true });
  expect((await fixture.client.send(get)).Item?.q?.S).toBe('a');
  await written;
});

it('a torn transaction is answered when all of its items are visible', async () => {
  await putAll('a');
  expect(await query()).toEqual(['1a', '2a', '3a']);
});

it('an item that was changed by a torn transaction is shown as it was before, until it becomes visible or is written again', async () => {
  await fixture.proxy.set({ tear: undefined });
  await putAll('a');
  await fixture.proxy.set({ tear: { share: 1, upToMs: 1_000 } });
  fixture.proxy.restartCount();
  const written = putAll('b');
  await expect.poll(() => batch(), { interval: 5 }).toEqual(['1a', '2a', '3b']);
  await fixture.client.send(
    new PutItemCommand({ TableName: tableName(), Item: { ...key('1'), q: { S: 'c' } } }),
  );
  expect((await query())[0]).toBe('1c');
  await fixture.proxy.caughtUp();
  expect(await query()).toEqual(['1c', '2b', '3b']);
  await written;
});

it('a cancelled transaction hides nothing', async () => {
  await fixture.proxy.set({ tear: undefined });
  await putAll('a');
  await fixture.proxy.set({ tear: { share: 1, upToMs: 1_000 } });
  const put = (sk: string, ConditionExpression?: string) => ({
    Put: { TableName: tableName(), Item: { ...key(sk), q: { S: 'b' } }, ConditionExpression },
  });
  const TransactItems = [put('1'), put('2', 'attribute_not_exists(pk)')];
  const cancelled = fixture.client.send(new TransactWriteItemsCommand({ TransactItems }));
  await expect(cancelled).rejects.toMatchObject({ name: 'TransactionCanceledException' });
  expect(await query()).toEqual(['1a', '2a', '3a']);
});
