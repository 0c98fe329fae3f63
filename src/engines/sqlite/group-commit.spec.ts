import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, queue, StoreFixture } from '../../../test/contract/store-fixture.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { Change, WriteOutcome } from '../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { Checkpoints } from './file/checkpoint.ts';
import { commitMark } from './file/commit-mark.ts';
import { GroupCommitter } from './group-commit.ts';
import { type SqliteEngine, sqlite } from './index.ts';
import { type EngineParts, openParts } from './open-engine.ts';

let folder: string;
let path: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;
const fatal: HoldfastError[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-commit-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  fatal.length = 0;
  engine = await sqlite({ path, clock, ballastBytes: 0, onFatal: (error) => void fatal.push(error) });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Damages the store's file: overwrites every leaf page of a table. */
function damage(table: string): void {
  const db = new DatabaseSync(path);
  const pages = db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'").all(table);
  db.close();
  const file = openSync(path, 'r+');
  for (const { pageno } of pages) {
    writeSync(file, Buffer.alloc(4_096, 0xee), 0, 4_096, (Number(pageno) - 1) * 4_096);
  }
  closeSync(file);
}

describe('a commit batch', () => {
  it('contains all calls of one turn of the event loop, with one sync', async () => {
    const before = engine.stats().commits;
    await Promise.all(Array.from({ length: 64 }, () => fixture.accept()));
    expect(engine.stats().commits).toBe(before + 1);
  });

  it('commits its other changes when one change conflicts', async () => {
    const [a, b] = await fixture.acceptMany(2);
    if (a === undefined || b === undefined) throw new Error('not accepted');
    const stale = fixture.transition(a, fixture.claimCommand(), { expect: { revision: 7 } });
    const [refused, done] = await fixture.store.append([
      stale,
      fixture.transition(b, fixture.claimCommand()),
    ]);
    expect([refused?.kind, done?.kind]).toEqual(['conflict', 'done']);
    expect((await fixture.read(b)).head.state).toBe('running');
  });

  it('leaves out only the item whose own values are invalid', async () => {
    const broken = fixture.acceptance();
    const submitted = { ...broken.submission.submitted, deadlineAtMs: 1.5 };
    const unwritable = { ...broken, submission: { ...broken.submission, submitted } };
    const elsewhere = fixture.accept({ queue: 'other' });
    const results = await fixture.store.accept([fixture.acceptance(), unwritable, fixture.acceptance()]);
    expect(results.map((one) => one.kind)).toEqual(['fresh', 'failed', 'fresh']);
    expect(results[1]).toMatchObject({ error: { message: expect.stringContaining('1.5') } });
    expect((await elsewhere).head.state).toBe('waiting');
    expect(await fixture.store.counts(queue, fixture.now)).toMatchObject({ ready: 2 });
    expect(await fixture.receive()).toHaveLength(2);
  });

  it('refuses submissions beyond its limit of bytes immediately, and still has room for settlements', async () => {
    const running = await fixture.claim(await fixture.accept());
    const payload = new Uint8Array(200_000);
    const batch = Array.from({ length: 100 }, () => fixture.acceptance({ payload }));
    const calls = [1, 2, 3, 4].map(() => fixture.store.accept(batch));
    const settled = fixture.succeed(running);
    const [, , , refused] = await Promise.allSettled(calls);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY', retryAfterMs: 200 },
    });
    expect((await settled).head.state).toBe('succeeded');
  });
});

it('a commit batch has room for submissions, although more settlements wait than it holds', async () => {
  const task = await fixture.accept();
  const stale = fixture.transition(task, fixture.claimCommand(), { expect: { revision: 7 } });
  const before = engine.stats().commits;
  const settling = Array.from({ length: 60 }, () => fixture.store.append(Array(100).fill(stale)));
  await fixture.accept();
  expect(engine.stats().commits).toBe(before + 1);
  await Promise.all(settling);
  expect(engine.stats().commits).toBe(before + 2);
});

describe('a store that cannot go on', () => {
  const reopen = async (): Promise<void> => {
    const onFatal = (error: HoldfastError) => void fatal.push(error);
    engine = await sqlite({ path, clock, ballastBytes: 0, checkUpToBytes: 0, onFatal });
    fixture.engine = engine;
  };
  const corrupt = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' };
  const accepted = () => fixture.acceptMany(200, () => ({ payload: new Uint8Array(2_000) }));
  const receive = () =>
    engine.broker.receive([queue], {
      types: [{ type: 'send', maxVersion: 1 }],
      room: () => ({ tasks: 10, bytes: 1_000_000 }),
      waitMs: 0,
      signal: new AbortController().signal,
    });

  it.each<[string, string, () => Promise<unknown>]>([
    [
      'a task is read',
      'body',
      () => fixture.store.list({ ...queue }, { limit: 1, cursor: undefined, nowMs: fixture.now }),
    ],
    ['tasks are received', 'task_ready', receive],
    [
      'expired leases are read',
      'task_lease',
      () => engine.broker.expiredLeases?.(fixture.now, 0, 10) ?? receive(),
    ],
    ['due tasks are read', 'task_due', () => fixture.store.due(0, fixture.now, 10)],
    ['settings are read', 'registry', () => engine.registry.list('queue', '')],
    ['a task is accepted', 'body', () => fixture.store.accept([fixture.acceptance({ key: 'new' })])],
  ])('closes its file and reports the damage once it finds a damaged page when %s', async (_, table, act) => {
    await accepted();
    await engine.close();
    damage(table);
    await reopen();
    const error = await errorOf(act());
    expect(error).toMatchObject(corrupt);
    expect(fatal).toEqual([error]);
    expect(await errorOf(fixture.store.accept([fixture.acceptance()]))).toBe(error);
    expect(await errorOf(receive())).toBe(error);
    new DatabaseSync(path).close();
  });

  it('delivers no task whose payload was changed in the file, and names the task in the error', async () => {
    const [task] = await fixture.acceptMany(1, () => ({ payload: Buffer.from('"a payload to be changed"') }));
    await engine.close();
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('payload to be changed')] = 0x50;
    writeFileSync(path, bytes);
    // SQLite finds no damage, because the pages are well formed. Only the task's checksum differs.
    await reopen();
    expect(await errorOf(receive())).toMatchObject({ ...corrupt, taskId: task?.id });
    expect(fatal).toHaveLength(1);
  });

  it('answers the calls of a failed COMMIT with an error of unknown outcome, reports the error, and refuses all later calls', async () => {
    await engine.close();
    const parts: EngineParts = openParts({ path, clock, ballastBytes: 0 });
    const { context, full } = parts;
    const commit = {
      run(): never {
        throw Object.assign(new Error('disk I/O error'), { errcode: 1_034 });
      },
    };
    const committer = new GroupCommitter({
      context: { ...context, sql: { ...context.sql, commit: commit as never } },
      full,
      checkpoints: new Checkpoints(context),
      mark: commitMark(undefined),
      afterCommit: () => {},
      onFatal: (error) => void fatal.push(error),
    });
    const error = await errorOf(committer.accept([fixture.acceptance()]));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    expect(error.help).toMatch(/same idempotency key/);
    expect(fatal).toEqual([error]);
    const change = {} as Change;
    expect(await errorOf(committer.append([change]) as Promise<WriteOutcome[]>)).toBe(error);
    parts.file.close();
  });
});
