import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ids, queue, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { timing } from '../../../core/limits.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';
import { prepareSchema, schemaVersion } from './schema.ts';

/** The SQLite tables of schema 1, as the code before schema 2 made them. They must not be edited. */
const schema1 = `
CREATE TABLE queue (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,
  scheduled INTEGER NOT NULL, ready INTEGER NOT NULL, running INTEGER NOT NULL, dead INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE TABLE kind (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, UNIQUE (type, version)
) STRICT;
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL, kind INTEGER NOT NULL, priority INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  key TEXT NOT NULL, ordering TEXT, lane_seq INTEGER, superseded INTEGER,
  state INTEGER NOT NULL, bell INTEGER, due INTEGER,
  revision INTEGER NOT NULL DEFAULT 1, version INTEGER NOT NULL DEFAULT 1,
  token INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, releases INTEGER NOT NULL DEFAULT 0,
  flags INTEGER NOT NULL, wait_until INTEGER, deadline INTEGER, lifetime_end INTEGER,
  lease_end INTEGER, timeout_at INTEGER, worker TEXT NOT NULL DEFAULT '', ended_at INTEGER,
  last_error TEXT NOT NULL DEFAULT '', progress TEXT, events BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE result (seq INTEGER PRIMARY KEY, result BLOB NOT NULL) STRICT;
CREATE TABLE lane (
  queue INTEGER NOT NULL, ordering TEXT NOT NULL, lane_seq INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (queue, ordering, lane_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE registry (
  kind TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX task_key ON task (queue, key) WHERE superseded IS NULL;
CREATE INDEX task_ready ON task (queue, priority, kind) WHERE bell = 1;
CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL;
CREATE INDEX task_lease ON task (lease_end) WHERE lease_end IS NOT NULL;
CREATE INDEX task_list ON task (queue, accepted_at);
CREATE INDEX task_state ON task (queue, state, accepted_at) WHERE state = 0 OR state = 4 OR state = 5;
CREATE INDEX task_retrying ON task (queue, accepted_at) WHERE (flags & 16) <> 0;
PRAGMA application_id = ${0x686f6c64};
PRAGMA user_version = 1;
`;

/** The SQLite tables of schema 2, as commit 7cfa48c made them. They must not be edited. */
const schema2 = `${schema1}
CREATE TABLE past (
  seq INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL, PRIMARY KEY (seq, last)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
`;

/** The SQLite tables of schema 3, as commit 7f82fb5 made them. They must not be edited. */
const schema3 = `
CREATE TABLE queue (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,
  scheduled INTEGER NOT NULL, ready INTEGER NOT NULL, running INTEGER NOT NULL, dead INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE TABLE task_type (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, UNIQUE (type, version)
) STRICT;
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL, task_type INTEGER NOT NULL, priority INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  key TEXT NOT NULL, ordering_key TEXT, lane_seq INTEGER, superseded INTEGER,
  state INTEGER NOT NULL, dispatchable INTEGER, due INTEGER,
  revision INTEGER NOT NULL DEFAULT 1, version INTEGER NOT NULL DEFAULT 1,
  fencing_token INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, releases INTEGER NOT NULL DEFAULT 0,
  flags INTEGER NOT NULL, wait_until INTEGER, deadline INTEGER, lifetime_end INTEGER,
  lease_end INTEGER, timeout_at INTEGER, worker TEXT NOT NULL DEFAULT '', ended_at INTEGER,
  last_error TEXT NOT NULL DEFAULT '', progress TEXT, events BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE result (seq INTEGER PRIMARY KEY, result BLOB NOT NULL) STRICT;
CREATE TABLE lane (
  queue INTEGER NOT NULL, ordering_key TEXT NOT NULL, lane_seq INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (queue, ordering_key, lane_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE registry (
  kind TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX task_key ON task (queue, key) WHERE superseded IS NULL;
CREATE INDEX task_ready ON task (queue, priority, task_type) WHERE dispatchable = 1;
CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL;
CREATE INDEX task_lease ON task (lease_end) WHERE lease_end IS NOT NULL;
CREATE INDEX task_list ON task (queue, accepted_at);
CREATE INDEX task_state ON task (queue, state, accepted_at) WHERE state = 0 OR state = 4 OR state = 5;
CREATE INDEX task_retrying ON task (queue, accepted_at) WHERE (flags & 16) <> 0;
CREATE TABLE archived_event (
  seq INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL, PRIMARY KEY (seq, last)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = ${0x686f6c64};
PRAGMA user_version = 3;
`;

/** The SQLite tables of schema 4, which were those of schema 3 and one more column. */
const schema4 = schema3
  .replace("events BLOB NOT NULL DEFAULT x''", '$&, losses INTEGER NOT NULL DEFAULT 0')
  .replace('user_version = 3', 'user_version = 4');

/** The SQLite tables of schema 5, as commit aefb2c2f made them. They must not be edited. */
const schema5 = `
CREATE TABLE queue (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL,
  scheduled INTEGER NOT NULL, ready INTEGER NOT NULL, running INTEGER NOT NULL, dead INTEGER NOT NULL,
  UNIQUE (tenant, name)
) STRICT;
CREATE TABLE task_type (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, UNIQUE (type, version)
) STRICT;
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL, task_type INTEGER NOT NULL, priority INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  key TEXT NOT NULL, ordering_key TEXT, lane_seq INTEGER, superseded INTEGER,
  state INTEGER NOT NULL, dispatchable INTEGER, due INTEGER,
  revision INTEGER NOT NULL DEFAULT 1, version INTEGER NOT NULL DEFAULT 1,
  fencing_token INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, releases INTEGER NOT NULL DEFAULT 0,
  flags INTEGER NOT NULL, wait_until INTEGER, deadline INTEGER, lifetime_end INTEGER,
  lease_end INTEGER, timeout_at INTEGER, worker TEXT NOT NULL DEFAULT '', ended_at INTEGER,
  last_error TEXT NOT NULL DEFAULT '', progress TEXT, events BLOB NOT NULL DEFAULT x'',
  losses INTEGER NOT NULL DEFAULT 0, lease_secret TEXT NOT NULL DEFAULT '', head_sum INTEGER, events_sum INTEGER
) STRICT;
CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE result (seq INTEGER PRIMARY KEY, result BLOB NOT NULL, sum INTEGER) STRICT;
CREATE TABLE lane (
  queue INTEGER NOT NULL, ordering_key TEXT NOT NULL, lane_seq INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (queue, ordering_key, lane_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE registry (
  kind TEXT NOT NULL, key TEXT NOT NULL, rev INTEGER NOT NULL, value TEXT NOT NULL, sum INTEGER, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX task_key ON task (queue, key) WHERE superseded IS NULL;
CREATE INDEX task_ready ON task (queue, priority, task_type) WHERE dispatchable = 1;
CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL;
CREATE INDEX task_lease ON task (lease_end) WHERE lease_end IS NOT NULL;
CREATE INDEX task_list ON task (queue, accepted_at);
CREATE INDEX task_state ON task (queue, state, accepted_at) WHERE state = 0 OR state = 4 OR state = 5;
CREATE INDEX task_retrying ON task (queue, accepted_at) WHERE (flags & 16) <> 0;

CREATE TABLE archived_event (
  seq INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL, sum INTEGER, PRIMARY KEY (seq, last)
) STRICT, WITHOUT ROWID;
CREATE TABLE identity (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
PRAGMA application_id = ${0x686f6c64};
PRAGMA user_version = 5;
`;

/**
 * The current name of each SQLite table, mapped to its name in schemas 1 and 2. Columns kept their order, and new ones
 * came last, so rows can be copied by position.
 */
const tables = {
  queue: 'queue',
  task_type: 'kind',
  task: 'task',
  body: 'body',
  result: 'result',
  lane: 'lane',
  registry: 'registry',
  counter: 'counter',
} as const;

let folder: string;
let path: string;
let clock: VirtualClock;
let fixture: StoreFixture;

const openEngine = () => sqlite({ path, clock, ballastBytes: 0 });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-upgrade-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  fixture = new StoreFixture({ engine: await openEngine(), clock, reopen: openEngine });
});
afterEach(async () => {
  await fixture.engine.close();
  rmSync(folder, { recursive: true });
});

const hasCurrentNames = (schema: string): boolean => [schema3, schema4, schema5].includes(schema);

/** Replaces the store's file with a file of an older schema that has the same rows, and opens the new file. */
async function openAs(schema: string): Promise<void> {
  await fixture.engine.close();
  const old = join(folder, 'old.db');
  const db = new DatabaseSync(old);
  db.exec(schema);
  db.prepare('ATTACH ? AS current').run(path);
  for (const [now, before] of Object.entries(tables)) {
    const name = hasCurrentNames(schema) ? now : before;
    const older = db.prepare(`SELECT name FROM pragma_table_info('${name}', 'main')`).all();
    const columns = db.prepare(`SELECT name FROM pragma_table_info('${now}', 'current')`).all();
    const copied = columns.slice(0, older.length).map((column) => column.name);
    db.exec(`INSERT INTO main.${name} SELECT ${copied.join(', ')} FROM current.${now}`);
  }
  if (hasCurrentNames(schema))
    db.exec(
      'INSERT INTO main.archived_event (seq, last, events) SELECT seq, last, events FROM current.archived_event',
    );
  if (schema === schema2)
    db.exec('INSERT INTO main.past SELECT seq, last, events FROM current.archived_event');
  db.close();
  path = old;
  await fixture.reopen();
}

/** Returns SQL text without the quotes that a rename adds, and with one kind of space around commas and parentheses. */
function sqlText(sql: unknown): string {
  return String(sql)
    .replaceAll('"', '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([,()]) ?/g, '$1');
}

/** Returns the SQL definition of each table and index, in the form of `sqlText`. */
function definitions(db: DatabaseSync): unknown[] {
  const rows = db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql <> '' ORDER BY name").all();
  return rows.map(({ name, sql }) => [name, sqlText(sql)]);
}

/** The task as a file of an older schema has it: before schema 5 without the secret of its lease. */
function inOlderFile(task: Snapshot, schema: string): Snapshot {
  return schema === schema5 ? task : { ...task, head: { ...task.head, leaseSecret: '' } };
}

async function finish(task: Snapshot): Promise<Snapshot> {
  return fixture.succeed(await fixture.claim(task), new Uint8Array([1, 2, 3]));
}

describe.each([
  ['1', schema1],
  ['2', schema2],
  ['3', schema3],
  ['4', schema4],
  ['5', schema5],
])('a store file of schema %s', (_, schema) => {
  it('has the same tables and indexes as a new file once it was opened', async () => {
    await openAs(schema);
    await fixture.engine.close();
    const upgraded = new DatabaseSync(path);
    const created = new DatabaseSync(':memory:');
    prepareSchema(created, ':memory:');
    expect(definitions(upgraded)).toEqual(definitions(created));
    expect(upgraded.prepare('PRAGMA user_version').get()).toEqual({ user_version: schemaVersion });
    expect(upgraded.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    upgraded.close();
    created.close();
  });

  it('keeps each task’s submission, head, events, result and lane when it is upgraded', async () => {
    const ended = await finish(await fixture.accept({ key: 'ended' }));
    const tasks = [
      ended,
      await fixture.die(await fixture.accept()),
      await fixture.fail(await fixture.claim(await fixture.accept()), 3_600_000),
      await fixture.accept({ options: { delayMs: 3_600_000, tags: ['eu'], priority: 'high' } }),
      await fixture.cancel(await fixture.accept()),
      await fixture.claim(await fixture.accept({ orderingKey: 'ann' })),
      ...(await fixture.acceptMany(2, () => ({ orderingKey: 'ann', type: 'other', typeVersion: 2 }))),
    ];
    await fixture.engine.registry.put('queue', 'mail', { paused: true }, 'absent');
    await openAs(schema);
    for (const task of tasks) {
      expect(await fixture.read(task)).toEqual(inOlderFile(task, schema));
      expect(await fixture.store.history(task.id, 0)).toEqual([task.submission.submitted, ...task.tip]);
    }
    expect(await fixture.store.byKey(ended.submission.scope, fixture.now)).toEqual(
      inOlderFile(ended, schema),
    );
    expect(await fixture.store.result(ended.id)).toEqual(new Uint8Array([1, 2, 3]));
    expect((await fixture.listAll()).items).toHaveLength(tasks.length);
    expect(ids((await fixture.listAll({ orderingKey: 'ann' })).items)).toEqual(ids(tasks.slice(5)));
    expect(await fixture.store.lowest(fixture.lane('ann'))).toMatchObject({ id: tasks[5]?.id });
    expect(await fixture.store.counts(queue, fixture.now)).toEqual({
      scheduled: 2,
      ready: 2,
      running: 1,
      dead: 1,
    });
    expect(await fixture.engine.registry.get('queue', 'mail')).toMatchObject({ value: { paused: true } });
  });

  it('lets its ready, scheduled, retrying and running tasks finish, and the tasks of a lane in the order of the lane', async () => {
    const ready = await fixture.accept();
    const scheduled = await fixture.accept({ options: { delayMs: 1_000 } });
    const retrying = await fixture.fail(await fixture.claim(await fixture.accept()), 1_000);
    const first = await fixture.claim(await fixture.accept({ orderingKey: 'ann' }));
    const second = await fixture.accept({ orderingKey: 'ann' });
    const abandoned = await fixture.claim(await fixture.accept());
    await openAs(schema);
    expect((await fixture.receiveOne()).snapshot).toEqual(ready);
    expect(await fixture.receive()).toEqual([]);
    const done = [await finish(ready), await fixture.succeed(first)];
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    expect((await fixture.receiveOne()).message.id).toBe(second.id);
    done.push(await finish(second));
    await clock.advance(1_000);
    expect((await fixture.dueIds()).toSorted()).toEqual(ids([first, second, scheduled, retrying]).toSorted());
    for (const task of [scheduled, retrying]) done.push(await finish(await fixture.makeReady(task)));
    await clock.advance(timing.leaseMs + timing.clockGuardMs);
    expect((await fixture.receiveOne()).message.id).toBe(abandoned.id);
    done.push(await finish(abandoned));
    expect(done.map((task) => task.head.state)).toEqual(Array.from({ length: 6 }, () => 'succeeded'));
  });

  it('accepts new tasks, both of task types that it has and of new task types', async () => {
    const task = await fixture.accept();
    await openAs(schema);
    const [again] = await fixture.store.accept([fixture.acceptance({ key: task.submission.scope.key })]);
    expect(again).toEqual({ kind: 'existing', snapshot: task });
    const fresh = [await fixture.accept(), await fixture.accept({ type: 'other' })];
    expect(fresh.map((one) => one.submission.type)).toEqual(['send', 'other']);
    for (const one of fresh) expect((await finish(one)).head.state).toBe('succeeded');
  });
});

async function afterFailures(count: number): Promise<Snapshot> {
  let task = await fixture.accept({ options: { retry: { maxAttempts: 1_000 } } });
  for (let i = 0; i < count; i++) {
    task = await fixture.makeReady(await fixture.fail(await fixture.claim(task), 0));
  }
  return task;
}

it('a store file of schema 2 keeps the events that were moved out of a task’s row', async () => {
  const task = await afterFailures(100);
  const history = await fixture.store.history(task.id, 0);
  await openAs(schema2);
  expect(await fixture.store.history(task.id, 0)).toEqual(history);
  expect(history).toHaveLength(201);
});

it('a store file of schema 1, once upgraded, archives the older events of a task that has more than 128', async () => {
  const task = await fixture.accept({ options: { retry: { maxAttempts: 1_000 } } });
  await openAs(schema1);
  let current = task;
  for (let i = 0; i < 100; i++) {
    current = await fixture.makeReady(await fixture.fail(await fixture.claim(current), 0));
  }
  expect(await fixture.store.history(task.id, 0)).toHaveLength(201);
  expect(current.tip.length).toBeLessThan(200);
});

it('an upgrade of the store’s schema that fails leaves the file of the older schema as it was', async () => {
  await fixture.accept();
  await fixture.engine.close();
  path = join(folder, 'broken.db');
  const db = new DatabaseSync(path);
  // The last rename of the upgrade fails, because the table `lane` already has a column of the new name.
  db.exec(schema2.replace('queue INTEGER NOT NULL, ordering TEXT NOT NULL', '$&, ordering_key TEXT'));
  const before = definitions(db);
  db.close();
  await expect(openEngine()).rejects.toThrow();
  const after = new DatabaseSync(path);
  expect(definitions(after)).toEqual(before);
  expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 });
  after.close();
});
