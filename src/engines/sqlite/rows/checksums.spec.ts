import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { encodeEvents } from '../../../core/codec/event.ts';
import type { TaskEvent } from '../../../core/task/event.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { checkStore } from '../check/check-store.ts';
import { type SqliteEngine, sqlite } from '../index.ts';
import { eventsChecksum, sumMask } from './checksums.ts';

let folder: string;
let path: string;
let engine: SqliteEngine;
let fixture: StoreFixture;
const clock = virtualClock();

async function open(checkUpToBytes?: number): Promise<void> {
  engine = await sqlite({ path, clock, ballastBytes: 0, checkUpToBytes });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-checksums-'));
  path = join(folder, 'queue.db');
  await open();
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Changes the closed file by SQL, as no page and no index would show it, and opens it as a large file is opened. */
async function change(sql: string): Promise<void> {
  await engine.close();
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  await open(0);
}

const corrupt = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' };

it('the checksum of joined events follows from those of the two lists, so that SQL can go on with it', () => {
  const event = fc.record({
    kind: fc.constant('cancelRequested' as const),
    atMs: fc.nat(),
    actor: fc.string({ maxLength: 300 }),
    message: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(event), fc.array(event), (first: TaskEvent[], second: TaskEvent[]) => {
      const [one, two] = [first, second].map((events) => eventsChecksum(encodeEvents(events)));
      const joined = eventsChecksum(encodeEvents([...first, ...second]));
      const sum =
        (BigInt(one?.sum ?? 0) * BigInt(two?.factor ?? 0) + BigInt(two?.sum ?? 0)) & BigInt(sumMask);
      expect(BigInt(joined.sum)).toBe(sum);
    }),
  );
});

describe('a task is not read, not delivered, and found by a check if its row has', () => {
  it.each([
    ['another key', "UPDATE task SET key = 'other'"],
    [
      'another ordering key',
      "UPDATE task SET ordering_key = 'other'; UPDATE lane SET ordering_key = 'other'",
    ],
    ['another place in its lane', 'UPDATE task SET lane_seq = 9; UPDATE lane SET lane_seq = 9'],
    ['another queue', "INSERT INTO queue VALUES (9, 'acme', 'other', 0, 1, 0, 0); UPDATE task SET queue = 9"],
    ['a queue of another name', "UPDATE queue SET name = 'other'"],
    ['a task type of another name', "UPDATE task_type SET type = 'other'"],
    ['another priority', 'UPDATE task SET priority = 0'],
    ['another time of expiry', 'UPDATE task SET expires_at = expires_at + 1'],
    ['another attempt', 'UPDATE task SET attempt = 3'],
    ['another revision', 'UPDATE task SET revision = 7'],
    ['another deadline', 'UPDATE task SET deadline = 5'],
    ["another lease's secret", "UPDATE task SET lease_secret = 'AAAAAAAAAAA'"],
    ['other events', "UPDATE task SET events = x'0a020801'"],
    ['no body', 'DELETE FROM body'],
  ])('%s', async (_, sql) => {
    const task = await fixture.accept({ orderingKey: 'ann' });
    await change(sql);
    expect(await errorOf(fixture.read(task))).toMatchObject(corrupt);
    await engine.close();
    await open(0);
    const found = await fixture.receive().catch((thrown) => thrown);
    expect(Array.isArray(found) ? found : []).toEqual([]);
    await engine.close();
    expect(checkStore(path).length).toBeGreaterThan(0);
    expect(await errorOf(open())).toMatchObject(corrupt);
  });
});

/** Changes the closed file as a changed byte does: a value of another type, which a strict table would refuse. */
async function changeTypes(sql: string): Promise<void> {
  await engine.close();
  const db = new DatabaseSync(path, { defensive: false });
  const strict = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'task'").get()?.sql as string;
  const setTable = (table: string) => {
    db.exec('PRAGMA writable_schema = ON');
    db.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = 'task'").run(table);
    db.exec('PRAGMA writable_schema = RESET');
  };
  setTable(
    strict.replaceAll(/ (INTEGER|TEXT|BLOB)( NOT NULL| DEFAULT ('[^']*'|x''|[01]))*(?=,|\s*\))/g, ' ANY'),
  );
  db.exec(sql);
  setTable(strict);
  db.close();
  await open(0);
}

it.each([
  ['a number is NULL', 'UPDATE task SET fencing_token = NULL'],
  ['a number is a text', "UPDATE task SET losses = ''"],
  ['a text is a blob', "UPDATE task SET worker = x''"],
  ['a text is NULL', 'UPDATE task SET lease_secret = NULL'],
  ['it has a place but no lane', 'UPDATE task SET lane_seq = 0'],
])(
  'a task is not read and not listed if %s in its row, which counts as much in a checksum as before',
  async (_, sql) => {
    const task = await fixture.accept();
    await changeTypes(sql);
    expect(await errorOf(fixture.read(task))).toMatchObject(corrupt);
    await engine.close();
    await open(0);
    expect(await errorOf(fixture.listAll())).toMatchObject(corrupt);
    await engine.close();
    expect(checkStore(path).length).toBeGreaterThan(0);
  },
);

it.each([
  ['of a state', { state: 'succeeded' }, 'UPDATE task SET state = 1, dispatchable = 1'],
  ['of a task type', { type: 'send' }, 'UPDATE task SET task_type = 9'],
  ['of a lane', { orderingKey: 'ann' }, 'UPDATE task SET state = 5'],
] as const)(
  'a list %s fails if it would leave out a task because its row was changed',
  async (_, filter, sql) => {
    const task = await fixture.accept({
      orderingKey: 'orderingKey' in filter ? filter.orderingKey : undefined,
    });
    if ('state' in filter) await fixture.succeed(await fixture.claim(task));
    await change(sql);
    expect(await errorOf(fixture.listAll(filter))).toMatchObject(corrupt);
  },
);

it('a history fails if archived events are missing', async () => {
  let task = await fixture.accept({ options: { retry: { maxAttempts: 1_000 } } });
  for (let i = 0; i < 65; i++)
    task = await fixture.makeReady(await fixture.fail(await fixture.claim(task), 0));
  expect(await fixture.store.history(task.id, 0)).toHaveLength(task.head.version);
  expect(task.tip.length).toBeLessThan(task.head.version - 1);
  await change('DELETE FROM archived_event');
  expect(await errorOf(fixture.store.history(task.id, 0))).toMatchObject(corrupt);
  await engine.close();
  expect(checkStore(path).length).toBeGreaterThan(0);
});

it.each([
  ['the state', 'UPDATE task SET state = 1, dispatchable = 1'],
  ['the end', 'UPDATE task SET ended_at = ended_at + 1'],
  ['the worker', "UPDATE task SET worker = 'w-9'"],
])('a task that has ended is not delivered again if %s in its row is changed', async (_, sql) => {
  const task = await fixture.succeed(await fixture.claim(await fixture.accept()));
  await change(sql);
  const found = await fixture.receive().catch((thrown) => thrown);
  expect(Array.isArray(found) ? found : []).toEqual([]);
  await engine.close();
  await open(0);
  expect(await errorOf(fixture.read(task))).toMatchObject(corrupt);
});

it.each([
  ['changed', "UPDATE result SET result = x'0102'"],
  ['moved to another task', 'UPDATE result SET seq = 1'],
  ['deleted', 'DELETE FROM result'],
])('a result that was %s is not returned', async (_, sql) => {
  await fixture.accept();
  const result = new Uint8Array([1, 2, 3]);
  const running = await fixture.claim(await fixture.accept());
  const command = fixture.settleCommand(running, { outcome: 'succeeded', resultBytes: result.length });
  const { fencingToken, version } = running.head;
  const task = await fixture.apply(
    fixture.transition(running, command, { expect: { fencingToken, version }, result }),
  );
  await change(sql);
  expect(await errorOf(fixture.store.result(task.id))).toMatchObject(corrupt);
  await engine.close();
  expect(checkStore(path).length).toBeGreaterThan(0);
});

it('a task whose time of expiry was changed is not deleted', async () => {
  await fixture.accept();
  await change('UPDATE task SET expires_at = 1');
  expect(await errorOf(fixture.store.purge(fixture.now, 10))).toMatchObject(corrupt);
});

it('a setting that was changed is not read', async () => {
  await engine.registry.put('queue', 'mail', { paused: true }, 'absent');
  await change('UPDATE registry SET value = \'{"paused":false}\'');
  expect(await errorOf(engine.registry.get('queue', 'mail'))).toMatchObject(corrupt);
});

it('a renewal is written into the checksum, with the progress and the beginning', async () => {
  const running: Snapshot = await fixture.claim(await fixture.accept());
  const progress = { fraction: 0.5, note: 'half' };
  const { fencingToken } = running.head;
  const renewed = await fixture.apply({
    kind: 'renewal',
    id: running.id,
    expect: { fencingToken },
    leaseEndAtMs: fixture.now + 60_000,
    begun: true,
    progress,
  });
  expect(await fixture.read(running)).toEqual(renewed);
  expect(renewed.head).toMatchObject({ progress, begun: true, leaseEndAtMs: fixture.now + 60_000 });
});

it.each([
  ['an index has another condition', "replace(sql, 'state = 5', 'state = 7') WHERE name = 'task_state'"],
  ['a column has another name', "replace(sql, 'last_error', 'last_errar') WHERE name = 'task'"],
])(
  'a file whose schema says that %s is refused, however large it is, and is not held then',
  async (_, change) => {
    await engine.close();
    const db = new DatabaseSync(path, { defensive: false });
    db.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ${change}`);
    db.close();
    expect(await errorOf(open(0))).toMatchObject(corrupt);
    expect(await errorOf(open(0))).toMatchObject(corrupt);
  },
);

it('an index that disagrees with its table is found by a check, and a small file with one is refused', async () => {
  await fixture.acceptMany(20, (i) => ({ key: `the key ${String(i).padStart(2, '0')}` }));
  await engine.close();
  const db = new DatabaseSync(path);
  const pages = db.prepare("SELECT pageno FROM dbstat WHERE name = 'task_key' AND pagetype = 'leaf'").all();
  db.close();
  const begin = (Number(pages[0]?.pageno) - 1) * 4_096;
  const file = openSync(path, 'r+');
  const page = Buffer.alloc(4_096);
  readSync(file, page, 0, page.length, begin);
  const at = page.indexOf('the key 07');
  expect(at).toBeGreaterThan(0);
  writeSync(file, Buffer.from('the key 77'), 0, 10, begin + at);
  closeSync(file);
  expect(checkStore(path).map(({ text }) => text)).toContainEqual(expect.stringMatching(/task_key/));
  expect(await errorOf(open())).toMatchObject(corrupt);
});
