import { globSync, readFileSync } from 'node:fs';
import { CreateTableCommand, DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkTable, createTable } from '../../src/engines/aws/table/create.ts';
import { tableClient } from '../../src/engines/aws/table/open.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
beforeAll(async () => {
  dynoxide = await startDynoxide();
});
afterAll(() => dynoxide.stop());

const engineFolder = 'src/engines/aws';

test('the DynamoDB table is created as defined, and a second creation changes nothing', async () => {
  const client = tableClient(clientOf(dynoxide.endpoint));
  expect(await checkTable(client, 'not-there')).toBeUndefined();
  expect(await createTable(client, 'made', systemClock())).toBe(true);
  expect(await createTable(client, 'made', systemClock())).toBe(false);
  expect(await checkTable(client, 'made')).toEqual([]);
  client.destroy();
});

test('checkTable lists every difference between a table and its definition', async () => {
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

test('the AWS engine never scans the table', () => {
  const sources = globSync(`${engineFolder}/**/*.ts`).map((file) => readFileSync(file, 'utf8'));
  expect(sources.length).toBeGreaterThan(70);
  for (const source of sources) expect(source).not.toMatch(/\bScan(Command|Paginator|Input)?\b/);
});

const partition = (id: string): { S: string } => ({ S: `T#${id.replace('.', '~').split('~')[0]}` });

test('for a new task, the head and the result of an earlier task with the same idempotency key count as absent', async () => {
  const { fixture, parts, table, close } = await openEngineOnTable(dynoxide.endpoint);
  const old = await fixture.succeed(
    await fixture.claim(await fixture.accept({ key: 'k' })),
    new Uint8Array(4_000),
  );
  // TTL deletes items in any order; in this test it has deleted the submission item first.
  const Key = { pk: partition(old.id), sk: { S: 'S' } };
  await parts.client.send(new DeleteItemCommand({ TableName: table, Key }));
  await fixture.clock.advance(1_000);
  const task = await fixture.accept({ key: 'k' });
  expect(task.id).not.toBe(old.id);
  expect(await fixture.read(task)).toEqual(task);
  expect(await fixture.store.history(task.id, 0)).toHaveLength(1);
  expect(await fixture.store.result(task.id)).toBeUndefined();
  expect(await fixture.store.read([old.id], fixture.now)).toEqual([undefined]);
  const running = await fixture.claim(task);
  expect(running.tip).toHaveLength(1);
  // A change that was computed from the earlier task is refused and does not touch the new task.
  const late = fixture.headChange(old, { handOver: false });
  expect(await fixture.append(late)).toEqual({ kind: 'conflict', current: undefined });
  const birth = { ...late, expect: { revision: 1 }, head: { ...old.head, version: 1 } };
  expect((await fixture.append(birth)).kind).toBe('conflict');
  expect(await fixture.read(task)).toEqual(running);
  await close();
});

test('an idempotency key is free if TTL deleted its newest task before its anchor, the submission item of its first task', async () => {
  const { fixture, parts, table, close } = await openEngineOnTable(dynoxide.endpoint);
  const first = await fixture.cancel(await fixture.accept({ key: 'k', options: { windowMs: 60_000 } }));
  await fixture.clock.advance(60_000);
  const second = await fixture.accept({ key: 'k' });
  const pk = { S: `T#${second.id}` };
  await parts.client.send(new DeleteItemCommand({ TableName: table, Key: { pk, sk: { S: 'S' } } }));
  expect(await fixture.store.byKey(first.submission.scope, fixture.now)).toBeUndefined();
  const third = await fixture.accept({ key: 'k' });
  expect([first.id, second.id]).not.toContain(third.id);
  expect(await fixture.store.byKey(first.submission.scope, fixture.now)).toEqual(third);
  expect((await fixture.store.accept([fixture.acceptance({ key: 'k' })]))[0]?.kind).toBe('existing');
  await close();
});
