import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { seededRandom } from '../../../testing/random.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { checkStore } from '../check/check-store.ts';
import { sqlite } from '../index.ts';
import type { HashedKeySizes } from './hashed-keys.ts';

/** Few hashes are kept in memory, so that some of a test's keys are in the table and some are not. */
const sizes: HashedKeySizes = { recent: 100, tasks: 100_000 };

let folder: string;
let path: string;
let clock: VirtualClock;
let fixture: StoreFixture;

const open = (file: string, hashedKeys = sizes) => sqlite({ path: file, clock, ballastBytes: 0, hashedKeys });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  fixture = new StoreFixture({ engine: await open(path), clock, reopen: () => open(path) });
});
afterEach(async () => {
  await fixture.engine.close();
  rmSync(folder, { recursive: true });
});

/** Accepts tasks with ascending keys, after which a queue knows that keys that begin with a digit do not ascend. */
const acceptAscending = (count = 1_024) =>
  fixture.acceptMany(count, (i) => ({ key: `ascending ${String(i).padStart(6, '0')}` }));

function randomKeys(count: number): string[] {
  const random = seededRandom(22);
  return Array.from({ length: count }, (_, i) => `${String(random()).slice(2)}-${i}`);
}

const acceptKeys = (keys: readonly string[]) =>
  fixture.acceptMany(keys.length, (i) => ({ key: keys[i] ?? '' }));

/** Submits the keys of tasks again. Returns the ids of the tasks that have them. */
async function holders(tasks: readonly Snapshot[]): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = [];
  for (let from = 0; from < tasks.length; from += 100) {
    const keys = tasks.slice(from, from + 100).map(({ submission }) => submission.scope.key);
    for (const outcome of await fixture.store.accept(keys.map((key) => fixture.acceptance({ key }))))
      ids.push(outcome.kind === 'existing' ? outcome.snapshot.id : undefined);
  }
  return ids;
}

/** Runs an SQL query of one number on the store's file, which must be closed, or on a copy of it. */
function numberIn(file: string, sql: string): number {
  const db = new DatabaseSync(file);
  const row = db.prepare(`SELECT (${sql}) AS n`).get();
  db.close();
  return Number(row?.n);
}

/** Copies the files of the open store, as a SIGKILL would leave them, and returns the path of the copy. */
function killedCopy(): string {
  const copy = join(folder, 'killed.db');
  for (const suffix of ['', '-wal', '.pid']) {
    rmSync(copy + suffix, { force: true });
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  }
  return copy;
}

async function closedFaults(): Promise<string[]> {
  await fixture.engine.close();
  const faults = checkStore(path).map(({ text }) => text);
  await fixture.reopen();
  return faults;
}

describe('keys that do not ascend', () => {
  it('are not written to the index of keys, which has ascending ones alone', async () => {
    await acceptAscending();
    await acceptKeys(randomKeys(600));
    await fixture.engine.close();
    expect(numberIn(path, 'SELECT count(*) FROM task WHERE superseded IS NULL')).toBe(1_024);
    const stored = numberIn(path, 'SELECT count(*) FROM key_hash');
    expect(stored).toBeGreaterThan(200);
    expect(stored).toBeLessThan(600);
    await fixture.reopen();
  });

  it('are taken, whether their hashes are in memory or in the file, after a close and after a kill', async () => {
    const tasks = [...(await acceptAscending()), ...(await acceptKeys(randomKeys(600)))];
    const ids = tasks.map(({ id }) => id);
    expect(await holders(tasks)).toEqual(ids);
    const killed = killedCopy();
    expect(await closedFaults()).toEqual([]);
    expect(await holders(tasks)).toEqual(ids);
    await fixture.engine.close();
    path = killed;
    await fixture.reopen();
    expect(await holders(tasks)).toEqual(ids);
    for (const task of tasks.slice(-600))
      expect((await fixture.store.byKey(task.submission.scope, fixture.now))?.id).toBe(task.id);
    expect(await closedFaults()).toEqual([]);
  });

  it('are taken within one commit batch too', async () => {
    await acceptAscending();
    const [first, second] = await Promise.all(
      [1, 2].map(() =>
        fixture.store.accept([fixture.acceptance({ key: '7' }), fixture.acceptance({ key: '7' })]),
      ),
    );
    const kinds = [...(first ?? []), ...(second ?? [])].map(({ kind }) => kind);
    expect(kinds).toEqual(['fresh', 'existing', 'existing', 'existing']);
  });

  it('are given to a new task once their window is over, which has them from then on', async () => {
    await acceptAscending();
    const old = await acceptKeys(randomKeys(600));
    for (const task of [old[0], old[599]] as Snapshot[]) await fixture.cancel(task);
    await clock.advance(24 * 3_600_000 + 1);
    const again = await acceptKeys([old[0], old[599]].map((task) => task?.submission.scope.key ?? ''));
    const ids = again.map(({ id }) => id);
    expect(await holders(again)).toEqual(ids);
    expect(await closedFaults()).toEqual([]);
    expect(await holders(again)).toEqual(ids);
  });

  it('leave no hash behind when their tasks are purged', async () => {
    await acceptAscending();
    const tasks = await acceptKeys(randomKeys(600));
    await clock.advance((tasks[0]?.submission.expiresAtMs ?? 0) - clock.now() + 1);
    while ((await fixture.store.purge(fixture.now, 1_000)) > 0);
    expect(await closedFaults()).toEqual([]);
    await fixture.engine.close();
    expect(numberIn(path, 'SELECT count(*) FROM task')).toBe(0);
    expect(numberIn(path, 'SELECT count(*) FROM key_hash')).toBe(0);
    await fixture.reopen();
  });

  it('can be used again if the transaction of their task was rolled back', async () => {
    await acceptAscending();
    const broken = fixture.acceptance({ key: '2' });
    const invalid = { ...broken, head: { ...broken.head, attempt: 1, waitUntilMs: 0.5 } };
    const outcomes = await fixture.store.accept([fixture.acceptance({ key: '1' }), invalid]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['fresh', 'failed']);
    expect((await fixture.accept({ key: '2' })).submission.scope.key).toBe('2');
    expect(await closedFaults()).toEqual([]);
  });

  it('are written to the file when many tasks came after them, so that a start need not read these tasks', async () => {
    await fixture.engine.close();
    const few = { recent: 100_000, tasks: 500 };
    fixture = new StoreFixture({ engine: await open(path, few), clock, reopen: () => open(path, few) });
    await acceptAscending();
    await fixture.accept({ key: '1' });
    await fixture.acceptMany(1_000, (i) => ({ key: `later ${String(i).padStart(6, '0')}` }));
    await fixture.engine.close();
    expect(numberIn(path, 'SELECT count(*) FROM key_hash')).toBe(1);
    expect(numberIn(path, "SELECT value FROM counter WHERE name = 'key_hash'")).toBeGreaterThan(1_500);
    await fixture.reopen();
    expect(
      (await fixture.store.byKey({ ...fixture.submission().scope, key: '1' }, fixture.now))?.id,
    ).toBeDefined();
  });
});

it.each([
  [
    'hashes are missing',
    "DELETE FROM key_hash; UPDATE counter SET value = 1100 WHERE name = 'key_hash'",
    /is missing in the table/,
  ],
  [
    'a hash is another',
    'UPDATE key_hash SET hash = 1 WHERE hash = (SELECT min(hash) FROM key_hash)',
    /key_hash has row/,
  ],
  ['a queue has a lower bound', "UPDATE key_bound SET key = ''", /is beyond the bound/],
  [
    'a task says nothing of its key',
    'UPDATE task SET superseded = 7 WHERE seq = 1',
    /does not say where its key is/,
  ],
])('a check finds that %s', async (_, sql, fault) => {
  await acceptAscending();
  await acceptKeys(randomKeys(600));
  await fixture.engine.close();
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  expect(checkStore(path).map(({ text }) => text)).toContainEqual(expect.stringMatching(fault));
  rmSync(path);
  await fixture.reopen();
});
