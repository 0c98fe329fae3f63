import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf } from '../../../../test/contract/store-fixture.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { sqlite } from '../index.ts';

let folder: string;
let path: string;
const clock = virtualClock();
const open = () => sqlite({ path, clock, ballastBytes: 0 });

/** Code of a process that opens the store's file, prints "open" or the error that prevented it, and then waits. */
const opener = (file: string) => `
  import { sqlite } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
  import { systemClock } from ${JSON.stringify(new URL('../../../platform/clock.ts', import.meta.url).href)};
  try {
    await sqlite({ path: ${JSON.stringify(file)}, clock: systemClock(), ballastBytes: 0 });
    console.log('open');
  } catch (error) {
    console.log(error.reason + ' ' + error.message + ' ' + error.help);
  }
  setInterval(() => {}, 1_000);
`;
const run = ['--input-type=module-typescript', '-e'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-open-'));
  path = join(folder, 'queue.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('opening the store’s file', () => {
  it('creates a file that does not exist, with mode 600, and opens it again', async () => {
    await (await open()).close();
    expect(existsSync(path)).toBe(true);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    await (await open()).close();
  });

  it('and closing it leaves no write-ahead log and no pid file behind', async () => {
    await (await open()).close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(existsSync(`${path}.pid`)).toBe(false);
  });

  it('refuses a file of a newer schema, with a help text', async () => {
    await (await open()).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    const error = await errorOf(open());
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'SCHEMA_NEWER' });
    expect(error.help).toMatch(/newer version/);
  });

  it('refuses a database of another program, and does not change it', async () => {
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    const before = readFileSync(path).subarray(100);
    expect(await errorOf(open())).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'BAD_CONFIGURATION' });
    const theirs = new DatabaseSync(path);
    expect(theirs.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'theirs' }]);
    theirs.close();
    expect(readFileSync(path).subarray(100).equals(before)).toBe(true);
  });

  it('refuses a file that is not a database', async () => {
    writeFileSync(path, 'x'.repeat(10_000));
    const error = await errorOf(open());
    expect(error).toMatchObject({ code: 'DATA_LOSS', reason: 'STORE_CORRUPT' });
    expect(error.help).toMatch(/backup/);
    expect(readFileSync(path, 'utf8')).toBe('x'.repeat(10_000));
  });

  it('refuses a file whose first page is damaged', async () => {
    await (await open()).close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 4_096);
    writeFileSync(path, bytes);
    expect(await errorOf(open())).toMatchObject({ code: 'DATA_LOSS', reason: 'STORE_CORRUPT' });
  });

  it.each([
    ['damaged in its middle', (bytes: Buffer) => bytes.fill(0xff, 6 * 4_096, 6 * 4_096 + 16)],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 10 * 4_096)],
    ['cut within a page', (bytes: Buffer) => bytes.subarray(0, 10 * 4_096 + 100)],
  ])('refuses a file that is %s, and does not change it', async (_, change) => {
    await (await open()).close();
    const changed = change(readFileSync(path));
    writeFileSync(path, changed);
    const before = Buffer.from(changed);
    expect(await errorOf(open())).toMatchObject({ code: 'DATA_LOSS', reason: 'STORE_CORRUPT' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a path whose folder does not exist', async () => {
    path = join(folder, 'none', 'queue.db');
    expect(await errorOf(open())).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'STORE_READ_ONLY' });
  });

  it.each([
    ['a file that this user may not write', 0o777, 0o444],
    ['a folder that this user may not write', 0o555, 0o666],
  ])('refuses %s', async (_, folderMode, fileMode) => {
    await (await open()).close();
    chmodSync(path, fileMode);
    chmodSync(folder, folderMode);
    // Root may write every file, so if the test runs as root, its child process switches to another user. It switches
    // once all code is loaded, because that user may not be able to read the checkout.
    const user = process.getuid?.() === 0 ? 'process.setgid(65534); process.setuid(65534); try {' : 'try {';
    const code = opener(path).replace('setInterval(() => {}, 1_000);', '').replace('try {', user);
    const { stdout } = spawnSync(process.execPath, [...run, code], { encoding: 'utf8' });
    chmodSync(folder, 0o700);
    expect(stdout).toMatch(/^STORE_READ_ONLY .*write permission/);
  });
});

describe('a store’s file that is open', () => {
  it('is refused to a second opener in the same process', async () => {
    const first = await open();
    const error = await errorOf(open());
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'STORE_LOCKED' });
    expect(error.message).toContain(String(process.pid));
    await first.close();
    await (await open()).close();
  });

  it('is refused to another process, with the process id of the holder', async () => {
    const engine = await open();
    const child = spawn(process.execPath, [...run, opener(path)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(String(output)).toMatch(new RegExp(`^STORE_LOCKED .* process ${process.pid} `));
    await engine.close();
  });

  it('can be opened again once its holder was killed', async () => {
    const child = spawn(process.execPath, [...run, opener(path)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await once(child.stdout, 'data');
    expect(String(output)).toBe('open\n');
    const error = await errorOf(open());
    expect(error).toMatchObject({ reason: 'STORE_LOCKED' });
    expect(error.message).toContain(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await open()).close();
  });
});
