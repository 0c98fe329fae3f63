import {
  GetItemCommand,
  PutItemCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
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
  stand = await standAt(dynoxide.endpoint, { conflicts: { holdMs: 40 } });
});
afterEach(() => stand.close());

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

/** Sends the second once the first is in flight; what became of each. */
async function both(first: () => Promise<unknown>, second: () => Promise<unknown>): Promise<unknown[]> {
  const going = first();
  while (stand.proxy.count() === 0) await new Promise(setImmediate);
  const outcomes = await Promise.allSettled([going, second()]);
  return outcomes.map((one) => (one.status === 'fulfilled' ? true : one.reason));
}

it('cancels the transaction that meets another in flight on one of its items, and says on which', async () => {
  const [first, second] = await both(
    () => stand.client.send(transaction(['a', 'b'])),
    () => stand.client.send(transaction(['c', 'b'])),
  );
  expect(first).toBe(true);
  expect(second).toMatchObject({
    name: 'TransactionCanceledException',
    CancellationReasons: [
      { Code: 'None' },
      { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' },
    ],
  });
  expect((await stand.direct.send(get('c'))).Item).toBeUndefined();
});

it('refuses a single write on an item that a transaction holds', async () => {
  const [, second] = await both(
    () => stand.client.send(transaction(['a'])),
    () => stand.client.send(put('a')),
  );
  expect(second).toMatchObject({ name: 'TransactionConflictException' });
});

it('cancels a transactional read of an item that is being written', async () => {
  const [, second] = await both(
    () => stand.client.send(put('a')),
    () => stand.client.send(transactGet('a')),
  );
  expect(second).toMatchObject({ CancellationReasons: [{ Code: 'TransactionConflict' }] });
});

it('lets be what does not conflict: other items, reads, two single writes, a transaction after the other', async () => {
  const seconds = [
    () => stand.client.send(transaction(['z'])),
    () => stand.client.send(get('a')),
    () => stand.client.send(transactGet('z')),
  ];
  for (const second of seconds) {
    stand.proxy.restartCount();
    const outcomes = await both(() => stand.client.send(transaction(['a', 'b'])), second);
    expect(outcomes).toEqual([true, true]);
  }
  stand.proxy.restartCount();
  const writes = await both(
    () => stand.client.send(put('a')),
    () => stand.client.send(put('a')),
  );
  expect(writes).toEqual([true, true]);
  await stand.client.send(transaction(['a']));
});

it('says that a transaction is in progress to a second request with its token', async () => {
  const [first, second] = await both(
    () => stand.client.send(transaction(['a'], 'fencingToken')),
    () => stand.client.send(transaction(['a'], 'fencingToken')),
  );
  expect(first).toBe(true);
  expect(second).toMatchObject({ name: 'TransactionInProgressException' });
});

it('knows no conflicts once they are switched off', async () => {
  await stand.proxy.set({ conflicts: undefined });
  stand.proxy.restartCount();
  const outcomes = await both(
    () => stand.client.send(transaction(['a'])),
    () => stand.client.send(transaction(['a'])),
  );
  expect(outcomes).toEqual([true, true]);
});
