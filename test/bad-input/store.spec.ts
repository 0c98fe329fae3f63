/**
 * Store files that a server cannot use, with real files and real processes. Once the intact file is back, each accepted
 * task still ends exactly once.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { Site } from './bad-input-server.ts';
import { type CommandResult, runCommand } from './command.ts';
import { acceptNotes, expectEndOnce, note } from './tasks.ts';

const page = 4_096;
let site: Site;
/** The path of an intact store file with accepted tasks, from a server that has shut down. */
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

function expectRefusal(ended: CommandResult, exit: number, code: string, reason: string): void {
  expect(ended).toMatchObject({ code: exit, error: { code, reason, help: expect.stringMatching(/\w/) } });
  expect(ended.error.message).toContain(site.store);
}

describe('a server does not start on', () => {
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a file that is not a database', () => Buffer.from('no database\n'.repeat(1_000))],
    [
      'a file with flipped bytes in the middle',
      (bytes) => flipped(bytes, Math.floor(bytes.length / 2 / page) * page),
    ],
    ['a truncated file', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
  ])('%s, and does not change the file', async (_, change) => {
    const bytes = change(readFileSync(good));
    writeFileSync(site.store, bytes);
    expectRefusal(await site.serveExpectingFailure(), 1, 'DATA_LOSS', 'STORE_CORRUPT');
    expect(readFileSync(site.store).equals(bytes)).toBe(true);
  });

  it('a store file of a newer version', async () => {
    const db = new DatabaseSync(site.store);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expectRefusal(await site.serveExpectingFailure(), 4, 'FAILED_PRECONDITION', 'SCHEMA_NEWER');
  });

  it.each([
    ['a file without write permission', 0o755, 0o444],
    ['a folder without write permission', 0o555, 0o666],
  ])('%s', async (_, folderMode, fileMode) => {
    const folder = `${site.dir}/${folderMode}`;
    const store = `${folder}/queue.db`;
    mkdirSync(folder);
    copyFileSync(good, store);
    chmodSync(store, fileMode);
    chmodSync(folder, folderMode);
    const ended = await site.serveExpectingFailure({ store, enforceModes: true });
    chmodSync(folder, 0o755);
    expect(ended).toMatchObject({
      code: 4,
      error: { code: 'FAILED_PRECONDITION', reason: 'STORE_READ_ONLY' },
    });
    expect(readFileSync(store).equals(readFileSync(good))).toBe(true);
  });

  it('a database of another program', async () => {
    const foreignStore = `${site.store}.theirs`;
    const db = new DatabaseSync(foreignStore);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    expectRefusal(
      await site.serveExpectingFailure({ store: foreignStore }),
      2,
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
    );
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  for (let i = at; i < at + 64; i++) changed[i] = (changed[i] ?? 0) ^ 0xff;
  return changed;
}

it('a server does not start on a small file in which a byte of one task is damaged, and `holdfast check` names the task', async () => {
  const bytes = readFileSync(good);
  bytes[bytes.indexOf('{"n":123}') + 5] = '9'.charCodeAt(0);
  writeFileSync(site.store, bytes);
  const ended = await site.serveExpectingFailure();
  expectRefusal(ended, 1, 'DATA_LOSS', 'STORE_CORRUPT');
  expect(ended.error.message).toContain(before[123]);
  const checked = await runCommand(['check', `file:${site.store}`, '--json']);
  expect(checked).toMatchObject({
    code: 1,
    error: { reason: 'STORE_CORRUPT', message: ended.error.message },
  });
  expect(readFileSync(site.store).equals(bytes)).toBe(true);
  expect(await runCommand(['check', good, '--json'])).toMatchObject({ code: 0 });
});

describe('a second server beside a running one', () => {
  it('is refused on the same store file and on the same port, and the first server continues', async () => {
    const server = await site.serve();
    const second = await site.serveExpectingFailure();
    expectRefusal(second, 4, 'FAILED_PRECONDITION', 'STORE_LOCKED');
    expect(second.error.message).toContain(`process ${server.pid}`);
    const third = await site.serveExpectingFailure({ store: `${site.store}.own`, port: server.grpcPort });
    const { code, error } = third;
    expect({ code, reason: error.reason }).toEqual({ code: 4, reason: 'PORT_IN_USE' });
    expect(error.message).toContain(String(server.grpcPort));
    await expectEndOnce(server.client(), before);
    await server.end('SIGTERM');
  });
});

describe('a task with a damaged byte in the store', () => {
  it('is not run: the server logs its task id and ends, and a backup restores all tasks', async () => {
    // A file of more than 16 MB is not read completely when it is opened.
    const large = await site.serve();
    const payload = 'x'.repeat(200_000);
    await large.client().submitMany(
      defineTask('large', { input: typed<string>(), queue: 'large' }),
      Array.from({ length: 90 }, () => ({ input: payload })),
    );
    await large.end('SIGTERM');
    const bytes = readFileSync(site.store);
    const at = bytes.indexOf('{"n":123}');
    expect(at).toBeGreaterThan(0);
    bytes[at + 5] = '9'.charCodeAt(0);
    writeFileSync(site.store, bytes);
    const server = await site.serve();
    const seen: number[] = [];
    const worker = defineWorker({ handlers: [handle(note, ({ n }) => void seen.push(n))] });
    await server.client().work(worker);
    expect(await server.end('SIGCONT')).toBe(1);
    const line = server.lines().find(({ msg }) => msg === 'the store failed; the server ends');
    expect(line).toMatchObject({ err: { reason: 'STORE_CORRUPT', taskId: before[123] } });
    expect(seen).not.toContain(923);
    copyFileSync(good, site.store);
    const restored = await site.serve();
    await expectEndOnce(restored.client(), before);
    await restored.end('SIGTERM');
  });
});
