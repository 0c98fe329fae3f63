import {
  GetItemCommand,
  PutItemCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
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
  fixture = await startProxyFixture(dynoxide.endpoint, { conflicts: { holdMs: 150 } });
});
afterEach(() => fixture.close());

const key = (id: string) => ({ pk: { S: id }, sk: { S: 'S' } });
const put = (id: string) => new PutItemCommand({ TableName: tableName(), Item: key(id) });
const get = (id: string) => new GetItemCommand({ TableName: tableName(), Key: key(id) });
const transaction = (ids: readonly string[], ClientRequestToken?: string) =>
  new TransactWriteItemsCommand({
    ClientRequestToken,
    TransactItems: ids.map((id) => ({ Put: { TableName: tableName(), Item: key(id) } })),
  });
const transactGet = (id: string) =>
  new TransactGetItemsCommand({ TransactItems: [{ Get: { TableName: tableName(), Key: key(id) } }] });

/** Sends the second request once the first is in flight, and returns the result of each. */
async function both(first: () => Promise<unknown>, second: () => Promise<unknown>): Promise<unknown[]> {
  const going = first();
  while (fixture.proxy.count() === 0) await new Promise(setImmediate);
  const outcomes = await Promise.allSettled([going, second()]);
  return outcomes.map((one) => (one.status === 'fulfilled' ? true : one.reason));
}

it('a transaction is cancelled if another transaction holds one of its items, and the reasons name the item', async () => {
  const [first, second] = await both(
    () => fixture.client.send(transaction(['a', 'b'])),
    () => fixture.client.send(transaction(['c', 'b'])),
  );
  expect(first).toBe(true);
  expect(second).toMatchObject({
    name: 'TransactionCanceledException',
    CancellationReasons: [
      { Code: 'None' },
      { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' },
    ],
  });
  expect((await fixture.direct.send(get('c'))).Item).toBeUndefined();
});

it('a single write of an item that a transaction holds is refused', async () => {
  const [, second] = await both(
    () => fixture.client.send(transaction(['a'])),
    () => fixture.client.send(put('a')),
  );
  expect(second).toMatchObject({ name: 'TransactionConflictException' });
});

it('a transactional read of an item that is being written is cancelled', async () => {
  const [, second] = await both(
    () => fixture.client.send(put('a')),
    () => fixture.client.send(transactGet('a')),
  );
  expect(second).toMatchObject({ CancellationReasons: [{ Code: 'TransactionConflict' }] });
});

it('requests for other items, plain reads, two single writes and consecutive transactions do not conflict', async () => {
  const seconds = [
    () => fixture.client.send(transaction(['z'])),
    () => fixture.client.send(get('a')),
    () => fixture.client.send(transactGet('z')),
  ];
  for (const second of seconds) {
    fixture.proxy.restartCount();
    const outcomes = await both(() => fixture.client.send(transaction(['a', 'b'])), second);
    expect(outcomes).toEqual([true, true]);
  }
  fixture.proxy.restartCount();
  const writes = await both(
    () => fixture.client.send(put('a')),
    () => fixture.client.send(put('a')),
  );
  expect(writes).toEqual([true, true]);
  await fixture.client.send(transaction(['a']));
});

it('a second request with the client token of a transaction in flight fails with TransactionInProgressException', async () => {
  const [first, second] = await both(
    () => fixture.client.send(transaction(['a'], 'request-token')),
    () => fixture.client.send(transaction(['a'], 'request-token')),
  );
  expect(first).toBe(true);
  expect(second).toMatchObject({ name: 'TransactionInProgressException' });
});

it('transactions do not conflict after the conflict fault was switched off', async () => {
  await fixture.proxy.set({ conflicts: undefined });
  fixture.proxy.restartCount();
  const outcomes = await both(
    () => fixture.client.send(transaction(['a'])),
    () => fixture.client.send(transaction(['a'])),
  );
  expect(outcomes).toEqual([true, true]);
});
