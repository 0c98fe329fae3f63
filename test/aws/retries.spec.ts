/**
 * Tests how often a DynamoDB request is sent at most, and that requests about leases have a retry budget of their own.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { answerOf } from '../stand-ins/proxy/call.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type EngineOnTable, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let proxy: DynamoProxy;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());
beforeEach(async () => {
  proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  engine = await openEngineOnTable(proxy.url);
  proxy.restartCount();
});
afterEach(async () => {
  await engine.close();
  await proxy.close();
});

const prefix = 'com.amazonaws.dynamodb.v20120810#';
const refusalOf = (type: string) => answerOf(400, { __type: `${prefix}${type}`, message: 'no' });
const throttled = refusalOf('ProvisionedThroughputExceededException');
/** Maximum number of times that the AWS SDK sends one request. No layer above the SDK repeats the request. */
const mostRequests = 4;

const refuse = (operation: string, answer: ReturnType<typeof answerOf>): void =>
  proxy.hook({ beforeRequest: (_, call) => (call.operation === operation ? answer : undefined) });

test('a throttled write is sent four times by the SDK and not repeated by the engine', async () => {
  refuse('PutItem', throttled);
  const [accepted] = await engine.fixture.store.accept([engine.fixture.acceptance()]);
  expect(accepted).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' } });
  expect(proxy.count('PutItem')).toBe(mostRequests);
});

test('a throttled read is sent four times by the SDK and not repeated by the engine', async () => {
  const task = await engine.fixture.accept();
  refuse('BatchGetItem', throttled);
  await expect(engine.fixture.store.read([task.id], 0)).rejects.toMatchObject({ reason: 'STORE_BUSY' });
  expect(proxy.count('BatchGetItem')).toBe(mostRequests);
});

test('a transaction that AWS reports as still in progress is sent four times, then the submission fails because its outcome is unknown', async () => {
  refuse('TransactWriteItems', refusalOf('TransactionInProgressException'));
  const [accepted] = await engine.fixture.store.accept([engine.fixture.acceptance({ orderingKey: 'ann' })]);
  expect(accepted).toMatchObject({ error: { code: 'UNAVAILABLE', reason: 'STORE_FAILED' } });
  expect(proxy.count('TransactWriteItems')).toBe(mostRequests);
});

test('a transaction that was cancelled by a throttle is sent four times by the engine', async () => {
  const reasons = [{ Code: 'ThrottlingError' }, { Code: 'None' }, { Code: 'None' }];
  const __type = `${prefix}TransactionCanceledException`;
  refuse('TransactWriteItems', answerOf(400, { __type, Message: 'no', CancellationReasons: reasons }));
  const [accepted] = await engine.fixture.store.accept([engine.fixture.acceptance({ orderingKey: 'ann' })]);
  expect(accepted).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' } });
  expect(proxy.count('TransactWriteItems')).toBe(mostRequests);
});

test('submissions that use up their retry budget leave the retry budget of requests about leases untouched', async () => {
  const { fixture } = engine;
  const task = await fixture.claim(await fixture.accept());
  refuse('PutItem', throttled);
  const some = (count: number) => Array.from({ length: count }, () => fixture.acceptance());
  for (let i = 0; i < 2; i++) await fixture.store.accept(some(100));
  proxy.restartCount();
  await fixture.store.accept(some(1));
  expect(proxy.count('PutItem'), 'the retry budget of submissions is used up').toBe(1);
  let left = 2;
  proxy.hook({
    beforeRequest: (_, { operation }) => (operation === 'UpdateItem' && left-- > 0 ? throttled : undefined),
  });
  const expected = { fencingToken: task.head.fencingToken };
  const [renewed] = await fixture.store.append([
    { kind: 'renewal', id: task.id, expect: expected, leaseEndAtMs: 1, begun: false, progress: undefined },
  ]);
  expect(renewed?.kind).toBe('done');
  expect(left).toBeLessThan(0);
});
