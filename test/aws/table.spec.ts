import { globSync, readFileSync } from 'node:fs';
import { CreateTableCommand, DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkTable, createTable } from '../../src/engines/aws/table/create.ts';
import { tableClient } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

const engineFolder = 'src/engines/aws';

test('the table is made as it is defined, once', async () => {
  const client = tableClient(clientOf(dynoxide.endpoint));
  expect(await checkTable(client, 'not-there')).toBeUndefined();
  expect(await createTable(client, 'made', systemClock())).toBe(true);
  expect(await createTable(client, 'made', systemClock())).toBe(false);
  expect(await checkTable(client, 'made')).toEqual([]);
  client.destroy();
});

test('a table that is not as defined is told of, fault by fault', async () => {
  const client = tableClient(clientOf(dynoxide.endpoint));
  const string = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
  const keys = (hash: string, range: string) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ];
  await client.send(
    new CreateTableCommand({
      TableName: 'other',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['id', 'sk', 'lp', 'ls'].map(string),
      KeySchema: keys('id', 'sk'),
      GlobalSecondaryIndexes: [
        { IndexName: 'list', KeySchema: keys('lp', 'ls'), Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
    }),
  );
  expect(await checkTable(client, 'other')).toEqual([
    'its keys are not pk, sk',
    "its index 'list' does not project ty, tg, x",
    "it has no index 'due'",
    "it has no index 'exceptions'",
    "its time to live is not on the attribute 'x'",
  ]);
  client.destroy();
});

test('nothing in the engine scans', () => {
  const sources = globSync(`${engineFolder}/**/*.ts`).map((file) => readFileSync(file, 'utf8'));
  expect(sources.length).toBeGreaterThan(70);
  for (const source of sources) expect(source).not.toMatch(/\bScan(Command|Paginator|Input)?\b/);
});

const partition = (id: string): { S: string } => ({ S: `T#${id.replace('.', '~').split('~')[0]}` });

test('an item of another acceptance counts as absent', async () => {
  const { bench, parts, table, close } = await siteOn(dynoxide.endpoint);
  const old = await bench.succeed(await bench.claim(await bench.accept({ key: 'k' })), new Uint8Array(4_000));
  // TTL deletes in any order: here the submission first.
  const Key = { pk: partition(old.id), sk: { S: 'S' } };
  await parts.client.send(new DeleteItemCommand({ TableName: table, Key }));
  await bench.clock.advance(1_000);
  const task = await bench.accept({ key: 'k' });
  expect(task.id).not.toBe(old.id);
  expect(await bench.read(task)).toEqual(task);
  expect(await bench.store.history(task.id, 0)).toHaveLength(1);
  expect(await bench.store.result(task.id)).toBeUndefined();
  expect(await bench.store.read([old.id], bench.now)).toEqual([undefined]);
  const running = await bench.claim(task);
  expect(running.tip).toHaveLength(1);
  // Whoever still has the old one in hand changes nothing.
  const late = bench.headChange(old, { handOver: false });
  expect(await bench.append(late)).toEqual({ kind: 'refused', current: undefined });
  const birth = { ...late, expect: { revision: 1 }, head: { ...old.head, version: 1 } };
  expect((await bench.append(birth)).kind).toBe('refused');
  expect(await bench.read(task)).toEqual(running);
  await close();
});

test('a key whose newest generation was deleted before its anchor is free', async () => {
  const { bench, parts, table, close } = await siteOn(dynoxide.endpoint);
  const first = await bench.cancel(await bench.accept({ key: 'k', options: { windowMs: 60_000 } }));
  await bench.clock.advance(60_000);
  const second = await bench.accept({ key: 'k' });
  const pk = { S: `T#${second.id}` };
  await parts.client.send(new DeleteItemCommand({ TableName: table, Key: { pk, sk: { S: 'S' } } }));
  expect(await bench.store.byKey(first.submission.scope, bench.now)).toBeUndefined();
  const third = await bench.accept({ key: 'k' });
  expect([first.id, second.id]).not.toContain(third.id);
  expect(await bench.store.byKey(first.submission.scope, bench.now)).toEqual(third);
  expect((await bench.store.accept([bench.acceptance({ key: 'k' })]))[0]?.kind).toBe('existing');
  await close();
});
