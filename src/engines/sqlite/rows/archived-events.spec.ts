import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StoreFixture } from '../../../../test/contract/store-fixture.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';

let folder: string;
let path: string;
let clock: VirtualClock;
let fixture: StoreFixture;

async function open(): Promise<void> {
  const reopen = () => sqlite({ path, clock, ballastBytes: 0 });
  fixture = new StoreFixture({ engine: await reopen(), clock, reopen });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-archived-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  await open();
});
afterEach(async () => {
  await fixture.engine.close();
  rmSync(folder, { recursive: true });
});

/** Closes the store, reads one number from its file, and opens the store again. */
async function numberInFile(sql: string): Promise<number> {
  await fixture.engine.close();
  const db = new DatabaseSync(path);
  const row = db.prepare(sql).get() as { n: number };
  db.close();
  await open();
  return row.n;
}

/** Returns a task that has failed `attempts` times and is ready again. */
async function afterFailures(attempts: number): Promise<Snapshot> {
  let task = await fixture.accept({ key: `${attempts}`, options: { retry: { maxAttempts: 1_000 } } });
  for (let i = 0; i < attempts; i++) {
    task = await fixture.makeReady(await fixture.fail(await fixture.claim(task), 0));
  }
  return task;
}

it('a task’s row stays small however many events the task has', async () => {
  const short = await afterFailures(5);
  const fiveAttempts = await numberInFile('SELECT length(events) AS n FROM task');
  const long = await afterFailures(400);
  expect(await numberInFile(`SELECT max(length(events)) AS n FROM task`)).toBeLessThan(30 * fiveAttempts);
  expect(await fixture.store.history(long.id, 0)).toHaveLength(801);
  expect(await fixture.store.history(short.id, 0)).toHaveLength(11);
});

it('purging an expired task deletes its archived events', async () => {
  await afterFailures(100);
  expect(await numberInFile('SELECT count(*) AS n FROM archived_event')).toBe(1);
  await clock.advance(40 * 86_400_000);
  expect(await fixture.store.purge(clock.now(), 100)).toBe(1);
  expect(await numberInFile('SELECT count(*) AS n FROM archived_event')).toBe(0);
});
