import { GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Dynoxide, startDynoxide } from '../dynoxide.ts';
import type { Call } from './call.ts';
import { clientAt, type ProxyFixture, startProxyFixture, tableName } from './proxy-fixture.ts';

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
  return (await fixture.direct.send(get(id))).Item !== undefined;
}

it('the proxy logs each call with operation, table, keys and expressions, in the order of arrival', async () => {
  await fixture.client.send(put('a'));
  await fixture.client.send(get('a'));
  expect(fixture.proxy.calls).toMatchObject([
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
  expect([fixture.proxy.count(), fixture.proxy.count('GetItem')]).toEqual([2, 1]);
  fixture.proxy.restartCount();
  await fixture.client.send(get('a'));
  expect(fixture.proxy.calls).toMatchObject([{ n: 1, operation: 'GetItem' }]);
});

it('the hooks of a proxy run before request n is forwarded and after it was answered', async () => {
  const seen: unknown[] = [];
  const note = (when: string, n: number, { operation }: Call): undefined => {
    seen.push([when, n, operation]);
  };
  fixture.proxy.hook({
    beforeRequest: (n, call) => note('before', n, call),
    afterRequest: (n, call) => note('after', n, call),
  });
  await fixture.client.send(put('a'));
  await fixture.client.send(get('a'));
  expect(seen).toEqual([
    ['before', 1, 'PutItem'],
    ['after', 1, 'PutItem'],
    ['before', 2, 'GetItem'],
    ['after', 2, 'GetItem'],
  ]);
});

it('a request that the proxy loses writes nothing', async () => {
  fixture.proxy.hook({ beforeRequest: (n) => (n === 1 ? 'lose' : undefined) });
  await expect(fixture.client.send(put('a'))).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect(await isStored('a')).toBe(false);
  expect(fixture.proxy.calls).toMatchObject([{ fault: 'request lost' }]);
});

it('the proxy loses an answer after the write took effect, so a retry of the SDK finds its own write', async () => {
  const retrying = clientAt(fixture.proxy.url, 3);
  fixture.proxy.hook({ afterRequest: (n) => (n === 1 ? 'lose' : undefined) });
  await expect(retrying.send(put('a'))).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  expect(await isStored('a')).toBe(true);
  expect(fixture.proxy.calls).toMatchObject([{ fault: 'answer lost' }, { n: 2, status: 400 }]);
  retrying.destroy();
});

it('proxies with the same seed lose the same answers', async () => {
  await fixture.proxy.set({ chance: { loseAnswer: 0.5 } });
  const round = async (): Promise<string> => {
    fixture.proxy.restartCount();
    for (let i = 0; i < 12; i++) await fixture.client.send(get('a')).catch(() => undefined);
    return fixture.proxy.calls.map(({ fault }) => (fault === undefined ? '.' : 'x')).join('');
  };
  const first = await round();
  expect(first).toMatch(/x.*\.|\..*x/);
  expect(await round()).toBe(first);
});

it('the proxy answers HTTP 500 by chance', async () => {
  await fixture.proxy.set({ chance: { serverError: 1 } });
  await expect(fixture.client.send(get('a'))).rejects.toMatchObject({
    name: 'InternalServerError',
    $metadata: { httpStatusCode: 500 },
  });
});

it('a latency fault of the proxy delays each call', async () => {
  await fixture.proxy.set({ latency: { fixedMs: 60, jitterMs: 0 } });
  const startMs = performance.now();
  await fixture.client.send(get('a'));
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(58);
});

it('an outage of the proxy refuses connections, answers HTTP 500 or hangs, and the proxy keeps its port after the outage', async () => {
  const name = (): Promise<string> =>
    fixture.client.send(get('a')).then(String, (thrown) => thrown.name + thrown.code);
  await fixture.proxy.outage('refuse');
  expect(await name()).toMatch(/ECONN/); // the client tries its open connection first
  expect(await name()).toContain('ECONNREFUSED');
  await fixture.proxy.outage('error');
  expect(await name()).toContain('InternalServerError');
  await fixture.proxy.outage('hang');
  const aborted = fixture.client.send(get('a'), { abortSignal: AbortSignal.timeout(50) });
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  await fixture.proxy.outage(undefined);
  expect((await fixture.client.send(new ListTablesCommand({}))).TableNames).toContain(tableName());
});
