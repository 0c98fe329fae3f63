import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

const suffixes = ['', '-wal', '.pid'];
let folder: string;
let path: string;
let engine: SqliteEngine;
let fixture: StoreFixture;
const clock = virtualClock();

async function open(): Promise<void> {
  engine = await sqlite({ path, clock, ballastBytes: 0 });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tracker-'));
  path = join(folder, 'queue.db');
  await open();
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Copies the files of the open store as a kill at this moment would leave them, and returns the path of the copy. */
function killedCopy(name: string): string {
  const copy = join(folder, name);
  for (const suffix of suffixes) {
    rmSync(copy + suffix, { force: true });
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  }
  return copy;
}

async function opens(store: string): Promise<boolean> {
  const copy = await sqlite({ path: store, clock, ballastBytes: 0, checkUpToBytes: 0 });
  await copy.close();
  return true;
}

const corrupt = { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' };

describe('a killed store', () => {
  it('opens from each state between two checkpoints, while its log begins anew again and again', async () => {
    const payload = new Uint8Array(200_000);
    for (let i = 0; engine.stats().checkpoints < 3; i++) {
      await fixture.acceptMany(8, () => ({ payload }));
      if (i % 4 === 0) expect(await opens(killedCopy('copy'))).toBe(true);
    }
    await fixture.accept();
    expect(await opens(killedCopy('copy'))).toBe(true);
  });

  it('is refused if it lacks the last commit of a log that has begun anew', async () => {
    const payload = new Uint8Array(200_000);
    while (engine.stats().checkpoints < 2) await fixture.acceptMany(4, () => ({ payload }));
    for (let i = 0; i < 2; i++) {
      await clock.advance(20);
      await fixture.accept();
    }
    const pages = Number(/frames (\d+)/.exec(readFileSync(`${path}.pid`, 'latin1'))?.[1]);
    const copy = killedCopy('copy');
    truncateSync(`${copy}-wal`, 32 + (pages - 1) * 4_120);
    expect(await errorOf(opens(copy))).toMatchObject(corrupt);
  });

  it('opens with an older pid file, as a loss of power may leave it', async () => {
    const payload = new Uint8Array(200_000);
    await fixture.accept();
    const older = readFileSync(`${path}.pid`);
    while (engine.stats().checkpoints < 3) await fixture.acceptMany(4, () => ({ payload }));
    const copy = killedCopy('copy');
    writeFileSync(`${copy}.pid`, older);
    expect(await opens(copy)).toBe(true);
  });

  it('opens with a torn pid file, and is refused if it also has no log', async () => {
    await fixture.accept();
    const copy = killedCopy('copy');
    writeFileSync(`${copy}.pid`, readFileSync(`${path}.pid`).subarray(0, 60));
    expect(await opens(copy)).toBe(true);
    const without = killedCopy('without');
    writeFileSync(`${without}.pid`, readFileSync(`${path}.pid`).subarray(0, 60));
    rmSync(`${without}-wal`);
    expect(await errorOf(opens(without))).toMatchObject(corrupt);
  });

  it('of an earlier version, whose pid file has only the pid, opens with its log and after an end without a log', async () => {
    await fixture.accept();
    const copy = killedCopy('copy');
    writeFileSync(`${copy}.pid`, '4711\n');
    expect(await opens(copy)).toBe(true);
    writeFileSync(`${copy}.pid`, '4711\n');
    expect(await opens(copy)).toBe(true);
  });
});

describe('an open store', () => {
  it('writes its pid file anew if the file was removed', async () => {
    rmSync(`${path}.pid`);
    await clock.advance(100);
    await fixture.accept();
    expect(readFileSync(`${path}.pid`, 'latin1')).toMatch(new RegExp(`^${process.pid}\nstore .* open`));
  });

  it('is refused to another engine of the same process, and keeps its lock', async () => {
    for (let i = 0; i < 2; i++)
      expect(await errorOf(opens(path))).toMatchObject({
        reason: 'STORE_LOCKED',
        message: expect.stringMatching(/this very/),
      });
    await fixture.accept();
  });
});
