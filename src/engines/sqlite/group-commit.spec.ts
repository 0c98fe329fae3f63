import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bench, queue, refusal } from '../../../test/contract/store-fixture.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { Change, Outcome } from '../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { Checkpoints } from './file/checkpoint.ts';
import { commitMark } from './file/commit-mark.ts';
import { GroupCommitter } from './group-commit.ts';
import { type SqliteEngine, sqlite } from './index.ts';
import { type Opened, openParts } from './open-engine.ts';

let folder: string;
let path: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let bench: Bench;
const fatal: HoldfastError[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-commit-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  fatal.length = 0;
  engine = await sqlite({ path, clock, ballastBytes: 0, onFatal: (error) => void fatal.push(error) });
  bench = new Bench({ engine, clock, reopen: async () => engine });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Overwrites every leaf page of a table. */
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

describe('what is committed together', () => {
  it('is everything that came in one turn, by one sync', async () => {
    const before = engine.stats().commits;
    await Promise.all(Array.from({ length: 64 }, () => bench.accept()));
    expect(engine.stats().commits).toBe(before + 1);
  });

  it('is not undone by the conflict of one of them', async () => {
    const [a, b] = await bench.acceptMany(2);
    if (a === undefined || b === undefined) throw new Error('not accepted');
    const stale = bench.transition(a, bench.claimOf(), { expect: { revision: 7 } });
    const [refused, done] = await bench.store.append([stale, bench.transition(b, bench.claimOf())]);
    expect([refused?.kind, done?.kind]).toEqual(['refused', 'done']);
    expect((await bench.read(b)).head.state).toBe('running');
  });

  it('leaves out one that its own values break, and only that one', async () => {
    const broken = bench.acceptance();
    const submitted = { ...broken.submission.submitted, deadlineAtMs: 1.5 };
    const unwritable = { ...broken, submission: { ...broken.submission, submitted } };
    const elsewhere = bench.accept({ queue: 'other' });
    const results = await bench.store.accept([bench.acceptance(), unwritable, bench.acceptance()]);
    expect(results.map((one) => one.kind)).toEqual(['fresh', 'failed', 'fresh']);
    expect(results[1]).toMatchObject({ error: { message: expect.stringContaining('1.5') } });
    expect((await elsewhere).head.state).toBe('waiting');
    expect(await bench.store.counts(queue, bench.now)).toMatchObject({ ready: 2 });
    expect(await bench.receive()).toHaveLength(2);
  });

  it('is bounded: submissions beyond it are refused before they cost anything, settlements still have room', async () => {
    const running = await bench.claim(await bench.accept());
    const payload = new Uint8Array(200_000);
    const batch = Array.from({ length: 100 }, () => bench.acceptance({ payload }));
    const calls = [1, 2, 3, 4].map(() => bench.store.accept(batch));
    const settled = bench.succeed(running);
    const [, , , refused] = await Promise.allSettled(calls);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY', retryAfterMs: 200 },
    });
    expect((await settled).head.state).toBe('succeeded');
  });
});

describe('a store that can’t go on', () => {
  const reopen = async (): Promise<void> => {
    const onFatal = (error: HoldfastError) => void fatal.push(error);
    engine = await sqlite({ path, clock, ballastBytes: 0, checkUpToBytes: 0, onFatal });
    bench.engine = engine;
  };
  const corrupt = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' };
  const accepted = () => bench.acceptMany(200, () => ({ payload: new Uint8Array(2_000) }));
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
      () => bench.store.list({ ...queue }, { limit: 1, cursor: undefined, nowMs: bench.now }),
    ],
    ['work is looked for', 'task_ready', receive],
    [
      'spent leases are looked for',
      'task_lease',
      () => engine.broker.expiredLeases?.(bench.now, 0, 10) ?? receive(),
    ],
    ['due tasks are looked for', 'task_due', () => bench.store.due(0, bench.now, 10)],
    ['settings are read', 'registry', () => engine.registry.list('queue', '')],
    ['something is written', 'body', () => bench.store.accept([bench.acceptance({ key: 'new' })])],
  ])('lets go of its file and says so once a damaged page is met, where %s', async (_, table, meet) => {
    await accepted();
    await engine.close();
    damage(table);
    await reopen();
    const met = await refusal(meet());
    expect(met).toMatchObject(corrupt);
    expect(fatal).toEqual([met]);
    expect(await refusal(bench.store.accept([bench.acceptance()]))).toBe(met);
    expect(await refusal(receive())).toBe(met);
    new DatabaseSync(path).close();
  });

  it('gives out no task with a byte that nobody submitted, and names it', async () => {
    const [task] = await bench.acceptMany(1, () => ({ payload: Buffer.from('"a payload to be changed"') }));
    await engine.close();
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('payload to be changed')] = 0x50;
    writeFileSync(path, bytes);
    // Nothing is wrong with the pages.
    engine = await sqlite({ path, clock, ballastBytes: 0, onFatal: (error) => void fatal.push(error) });
    bench.engine = engine;
    expect(await refusal(receive())).toMatchObject({ ...corrupt, taskId: task?.id });
    expect(fatal).toHaveLength(1);
  });

  it('answers a COMMIT that failed with an unknown outcome, closes the file, and takes nothing any more', async () => {
    await engine.close();
    const parts: Opened = openParts({ path, clock, ballastBytes: 0 });
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
    const error = await refusal(committer.accept([bench.acceptance()]));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    expect(error.help).toMatch(/same idempotency key/);
    expect(fatal).toEqual([error]);
    const change = {} as Change;
    expect(await refusal(committer.append([change]) as Promise<Outcome[]>)).toBe(error);
    parts.file.close();
  });
});
