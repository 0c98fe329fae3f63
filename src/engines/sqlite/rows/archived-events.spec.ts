import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Bench } from '../../../../test/contract/store-fixture.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';

let folder: string;
let path: string;
let clock: VirtualClock;
let bench: Bench;

async function open(): Promise<void> {
  const reopen = () => sqlite({ path, clock, ballastBytes: 0 });
  bench = new Bench({ engine: await reopen(), clock, reopen });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-past-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  await open();
});
afterEach(async () => {
  await bench.engine.close();
  rmSync(folder, { recursive: true });
});

/** One number of the closed file. */
async function inFile(sql: string): Promise<number> {
  await bench.engine.close();
  const db = new DatabaseSync(path);
  const row = db.prepare(sql).get() as { n: number };
  db.close();
  await open();
  return row.n;
}

async function lived(attempts: number): Promise<Snapshot> {
  let task = await bench.accept({ key: `${attempts}`, options: { retry: { maxAttempts: 1_000 } } });
  for (let i = 0; i < attempts; i++) {
    task = await bench.makeReady(await bench.fail(await bench.claim(task), 0));
  }
  return task;
}

it('keeps a row small however long its task lives', async () => {
  const short = await lived(5);
  const fiveAttempts = await inFile('SELECT length(events) AS n FROM task');
  const long = await lived(400);
  expect(await inFile(`SELECT max(length(events)) AS n FROM task`)).toBeLessThan(30 * fiveAttempts);
  expect(await bench.store.history(long.id, 0)).toHaveLength(801);
  expect(await bench.store.history(short.id, 0)).toHaveLength(11);
});

it('frees with an expired task what left its row', async () => {
  await lived(100);
  expect(await inFile('SELECT count(*) AS n FROM past')).toBe(1);
  await clock.advance(40 * 86_400_000);
  expect(await bench.store.purge(clock.now(), 100)).toBe(1);
  expect(await inFile('SELECT count(*) AS n FROM past')).toBe(0);
});

it('upgrades a file that was written before events could leave a row', async () => {
  const task = await lived(3);
  await bench.engine.close();
  const db = new DatabaseSync(path);
  db.exec('DROP TABLE past; PRAGMA user_version = 1');
  db.close();
  await open();
  expect(await bench.store.history(task.id, 0)).toHaveLength(7);
  expect(await inFile('SELECT count(*) AS n FROM past')).toBe(0);
});
