/** Stores that a server cannot use: real files, real processes. After each, what was accepted before ends once. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defineWorker, handle } from '../../src/index.ts';
import { Site } from './bad-input-server.ts';
import type { Ended } from './command.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

const page = 4_096;
let site: Site;
/** A store with tasks that were accepted, as its server left it. */
let good: string;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  good = `${site.store}.good`;
  const server = await site.serve();
  before = await acceptNotes(server.client(), 200);
  expect(await server.end('SIGTERM')).toBe(0);
  copyFileSync(site.store, good);
});
afterAll(() => site[Symbol.asyncDispose]());
beforeEach(() => copyFileSync(good, site.store));

function expectRefusal(ended: Ended, exit: number, code: string, reason: string): void {
  expect(ended).toMatchObject({ code: exit, error: { code, reason, help: expect.stringMatching(/\w/) } });
  expect(ended.error.message).toContain(site.store);
}

describe('a server does not start on', () => {
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a file that is no database', () => Buffer.from('no database\n'.repeat(1_000))],
    [
      'a file with bytes flipped in its middle',
      (bytes) => flipped(bytes, Math.floor(bytes.length / 2 / page) * page),
    ],
    ['a file that was cut short', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
  ])('%s, and leaves it as it is', async (_, change) => {
    const bytes = change(readFileSync(good));
    writeFileSync(site.store, bytes);
    expectRefusal(await site.refused(), 1, 'DATA_LOSS', 'STORE_CORRUPT');
    expect(readFileSync(site.store).equals(bytes)).toBe(true);
  });

  it('a file of a newer version', async () => {
    const db = new DatabaseSync(site.store);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expectRefusal(await site.refused(), 4, 'FAILED_PRECONDITION', 'SCHEMA_NEWER');
  });

  it.each([
    ['a file that it may not write', 0o755, 0o444],
    ['a folder that it may not write', 0o555, 0o666],
  ])('%s', async (_, folderMode, fileMode) => {
    const folder = `${site.dir}/${folderMode}`;
    const store = `${folder}/queue.db`;
    mkdirSync(folder);
    copyFileSync(good, store);
    chmodSync(store, fileMode);
    chmodSync(folder, folderMode);
    const ended = await site.refused({ store, modesHold: true });
    chmodSync(folder, 0o755);
    expect(ended).toMatchObject({
      code: 4,
      error: { code: 'FAILED_PRECONDITION', reason: 'STORE_READ_ONLY' },
    });
    expect(readFileSync(store).equals(readFileSync(good))).toBe(true);
  });

  it('a database of another program', async () => {
    const theirs = `${site.store}.theirs`;
    const db = new DatabaseSync(theirs);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    expectRefusal(await site.refused({ store: theirs }), 2, 'FAILED_PRECONDITION', 'BAD_CONFIGURATION');
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  for (let i = at; i < at + 64; i++) changed[i] = (changed[i] ?? 0) ^ 0xff;
  return changed;
}

describe('beside a server that runs', () => {
  it('another one on its file, or on its port, is told why not, and it goes on', async () => {
    const server = await site.serve();
    const second = await site.refused();
    expectRefusal(second, 4, 'FAILED_PRECONDITION', 'STORE_LOCKED');
    expect(second.error.message).toContain(`process ${server.pid}`);
    const third = await site.refused({ store: `${site.store}.own`, port: server.grpcPort });
    const { code, error } = third;
    expect({ code, reason: error.reason }).toEqual({ code: 4, reason: 'PORT_IN_USE' });
    expect(error.message).toContain(String(server.grpcPort));
    await expectEndOnce(server.client(), before);
    await server.end('SIGTERM');
  });
});

describe('a task with a byte that nobody submitted', () => {
  it('is not run: the server ends and names it, and from the backup all end once', async () => {
    const bytes = readFileSync(good);
    const at = bytes.indexOf('{"n":123}');
    expect(at).toBeGreaterThan(0);
    bytes[at + 5] = '9'.charCodeAt(0);
    writeFileSync(site.store, bytes);
    const server = await site.serve();
    const seen: number[] = [];
    const worker = defineWorker({ handlers: [handle(note, ({ n }) => void seen.push(n))] });
    await server.client().work(worker);
    expect(await server.end('SIGCONT')).toBe(1);
    const told = server.lines().find(({ msg }) => msg === 'the store failed; ending');
    expect(told).toMatchObject({ err: { reason: 'STORE_CORRUPT', taskId: before[123] } });
    expect(seen).not.toContain(923);
    copyFileSync(good, site.store);
    const restored = await site.serve();
    await expectEndOnce(restored.client(), before);
    await restored.end('SIGTERM');
  });
});
