import { GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Dynoxide, startDynoxide } from '../dynoxide.ts';
import type { Call } from './call.ts';
import { clientAt, type Stand, standAt, tableName } from './stand.ts';

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

const put = (id: string): PutItemCommand =>
  new PutItemCommand({
    TableName: tableName(),
    Item: { pk: { S: id }, sk: { S: 'S' } },
    ConditionExpression: 'attribute_not_exists(pk)',
  });
const get = (id: string): GetItemCommand =>
  new GetItemCommand({
    TableName: tableName(),
    Key: { pk: { S: id }, sk: { S: 'S' } },
    ConsistentRead: true,
  });

async function isStored(id: string): Promise<boolean> {
  return (await stand.direct.send(get(id))).Item !== undefined;
}

it('keeps a log of what passed: operation, table, keys, expressions, in the order of arrival', async () => {
  await stand.client.send(put('a'));
  await stand.client.send(get('a'));
  expect(stand.proxy.calls).toMatchObject([
    {
      n: 1,
      operation: 'PutItem',
      resources: [tableName()],
      keys: ['{"pk":{"S":"a"},"sk":{"S":"S"}}'],
      expressions: ['attribute_not_exists(pk)'],
      status: 200,
    },
    { n: 2, operation: 'GetItem', expressions: [], status: 200 },
  ]);
  expect([stand.proxy.count(), stand.proxy.count('GetItem')]).toEqual([2, 1]);
  stand.proxy.restartCount();
  await stand.client.send(get('a'));
  expect(stand.proxy.calls).toMatchObject([{ n: 1, operation: 'GetItem' }]);
});

it('lets a crash point see request n before it goes on and after it was answered', async () => {
  const seen: unknown[] = [];
  const note = (when: string, n: number, { operation }: Call): undefined => {
    seen.push([when, n, operation]);
  };
  stand.proxy.hook({
    beforeRequest: (n, call) => note('before', n, call),
    afterRequest: (n, call) => note('after', n, call),
  });
  await stand.client.send(put('a'));
  await stand.client.send(get('a'));
  expect(seen).toEqual([
    ['before', 1, 'PutItem'],
    ['after', 1, 'PutItem'],
    ['before', 2, 'GetItem'],
    ['after', 2, 'GetItem'],
  ]);
});

it('loses a request before anything is written', async () => {
  stand.proxy.hook({ beforeRequest: (n) => (n === 1 ? 'lose' : undefined) });
  await expect(stand.client.send(put('a'))).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect(await isStored('a')).toBe(false);
  expect(stand.proxy.calls).toMatchObject([{ fault: 'request lost' }]);
});

it('loses an answer after the write has landed: a retry of the SDK meets its own write', async () => {
  const retrying = clientAt(stand.proxy.url, 3);
  stand.proxy.hook({ afterRequest: (n) => (n === 1 ? 'lose' : undefined) });
  await expect(retrying.send(put('a'))).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  expect(await isStored('a')).toBe(true);
  expect(stand.proxy.calls).toMatchObject([{ fault: 'answer lost' }, { n: 2, status: 400 }]);
  retrying.destroy();
});

it('loses answers by seed: the same seed, the same ones', async () => {
  await stand.proxy.set({ chance: { loseAnswer: 0.5 } });
  const round = async (): Promise<string> => {
    stand.proxy.restartCount();
    for (let i = 0; i < 12; i++) await stand.client.send(get('a')).catch(() => undefined);
    return stand.proxy.calls.map(({ fault }) => (fault === undefined ? '.' : 'x')).join('');
  };
  const first = await round();
  expect(first).toMatch(/x.*\.|\..*x/);
  expect(await round()).toBe(first);
});

it('answers 500 by chance, which the SDK retries', async () => {
  await stand.proxy.set({ chance: { serverError: 1 } });
  await expect(stand.client.send(get('a'))).rejects.toMatchObject({
    name: 'InternalServerError',
    $metadata: { httpStatusCode: 500 },
  });
});

it('is slow by so much and by its jitter', async () => {
  await stand.proxy.set({ latency: { fixedMs: 60, jitterMs: 0 } });
  const startMs = performance.now();
  await stand.client.send(get('a'));
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(58);
});

it('is down in three ways, and comes back on the same port', async () => {
  const name = (): Promise<string> =>
    stand.client.send(get('a')).then(String, (thrown) => thrown.name + thrown.code);
  await stand.proxy.outage('refuse');
  expect(await name()).toMatch(/ECONN/); // on the connection that it had
  expect(await name()).toContain('ECONNREFUSED');
  await stand.proxy.outage('error');
  expect(await name()).toContain('InternalServerError');
  await stand.proxy.outage('hang');
  const aborted = stand.client.send(get('a'), { abortSignal: AbortSignal.timeout(50) });
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  await stand.proxy.outage(undefined);
  expect((await stand.client.send(new ListTablesCommand({}))).TableNames).toContain(tableName());
});
