/** How often a request is sent at most, and that leases have retries of their own. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type Site, siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let site: Site;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  site = await siteOn(proxy.url);
  proxy.restartCount();
});
afterEach(async () => {
  await site.close();
  await proxy.close();
});

const prefix = 'com.amazonaws.dynamodb.v20120810#';
const refusalOf = (type: string) => answerOf(400, { __type: `${prefix}${type}`, message: 'no' });
const throttled = refusalOf('ProvisionedThroughputExceededException');
/** The SDK's, which nobody multiplies. */
const mostRequests = 4;

const refuse = (operation: string, answer: ReturnType<typeof answerOf>): void =>
  proxy.hook({ beforeRequest: (_, call) => (call.operation === operation ? answer : undefined) });

test('a throttled write is sent four times, and by nobody more', async () => {
  refuse('PutItem', throttled);
  const [accepted] = await site.bench.store.accept([site.bench.acceptance()]);
  expect(accepted).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' } });
  expect(proxy.count('PutItem')).toBe(mostRequests);
});

test('a throttled read likewise', async () => {
  const task = await site.bench.accept();
  refuse('BatchGetItem', throttled);
  await expect(site.bench.store.read([task.id], 0)).rejects.toMatchObject({ reason: 'STORE_BUSY' });
  expect(proxy.count('BatchGetItem')).toBe(mostRequests);
});

test('a transaction that AWS says is still in progress likewise; what became of it is not known', async () => {
  refuse('TransactWriteItems', refusalOf('TransactionInProgressException'));
  const [accepted] = await site.bench.store.accept([site.bench.acceptance({ orderingKey: 'ann' })]);
  expect(accepted).toMatchObject({ error: { code: 'UNAVAILABLE', reason: 'STORE_FAILED' } });
  expect(proxy.count('TransactWriteItems')).toBe(mostRequests);
});

test('a transaction that was cancelled for a throttle is sent as often, by us', async () => {
  const reasons = [{ Code: 'ThrottlingError' }, { Code: 'None' }, { Code: 'None' }];
  const __type = `${prefix}TransactionCanceledException`;
  refuse('TransactWriteItems', answerOf(400, { __type, Message: 'no', CancellationReasons: reasons }));
  const [accepted] = await site.bench.store.accept([site.bench.acceptance({ orderingKey: 'ann' })]);
  expect(accepted).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' } });
  expect(proxy.count('TransactWriteItems')).toBe(mostRequests);
});

test('submissions that spent all retries of theirs leave those of a lease untouched', async () => {
  const { bench } = site;
  const task = await bench.claim(await bench.accept());
  refuse('PutItem', throttled);
  const some = (count: number) => Array.from({ length: count }, () => bench.acceptance());
  for (let i = 0; i < 2; i++) await bench.store.accept(some(100));
  proxy.restartCount();
  await bench.store.accept(some(1));
  expect(proxy.count('PutItem'), 'the budget of submissions is spent').toBe(1);
  let left = 2;
  proxy.hook({
    beforeRequest: (_, { operation }) => (operation === 'UpdateItem' && left-- > 0 ? throttled : undefined),
  });
  const expected = { fencingToken: task.head.fencingToken };
  const [renewed] = await bench.store.append([
    { kind: 'renewal', id: task.id, expect: expected, leaseEndAtMs: 1, progress: undefined },
  ]);
  expect(renewed?.kind).toBe('done');
  expect(left).toBeLessThan(0);
});
