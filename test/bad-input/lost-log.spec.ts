/** Stores whose server was killed and whose files were then lost, cut, changed or exchanged, with real processes. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Site } from './bad-input-server.ts';
import { runCommand } from './command.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const suffixes = ['', '-wal', '.pid'];
const frameBytes = 4_096 + 24;
const perBatch = 40;

let site: Site;
/** The paths of the stores that each test copies. */
let killed: string;
let other: string;
let backup: string;
/** The tasks of the store `killed`, in the order of their commits. */
let accepted: string[];

/** Copies a store with all its files. */
function copyStore(from: string, to: string): void {
  for (const suffix of suffixes) {
    rmSync(to + suffix, { force: true });
    if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
  }
}

/** Makes a store of a server that was stopped once and then killed. Returns its tasks. */
async function makeKilled(store: string, name: string): Promise<string[]> {
  const ids: string[] = [];
  const first = await site.serve({ store });
  ids.push(...(await acceptNotes(first.client(), perBatch, `${name}/0`)));
  expect(await first.end('SIGTERM')).toBe(0);
  copyStore(store, `${store}.backup`);
  const second = await site.serve({ store });
  for (const batch of [1, 2, 3])
    ids.push(...(await acceptNotes(second.client(), perBatch, `${name}/${batch}`)));
  // The pid file knows the last commit after half a second at the latest.
  await sleep(1_000);
  await second.end('SIGKILL');
  return ids;
}

beforeAll(async () => {
  site = await Site.make();
  killed = join(site.dir, 'killed.db');
  other = join(site.dir, 'other.db');
  backup = `${killed}.backup`;
  accepted = await makeKilled(killed, 'killed');
  await makeKilled(other, 'other');
});
afterAll(() => site[Symbol.asyncDispose]());

let folders = 0;
/** Copies the killed store into a new folder, and returns its path there. */
function copyOfKilled(): string {
  const folder = join(site.dir, `case-${folders++}`);
  mkdirSync(folder);
  copyStore(killed, join(folder, 'queue.db'));
  return join(folder, 'queue.db');
}

function flip(path: string, at: number): void {
  const byte = (readFileSync(path)[at] as number) ^ 0x10;
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.of(byte), 0, 1, at);
}

function bytesOf(path: string): number {
  return readFileSync(path).length;
}

/** The files of a store, with their content. */
function contentOf(store: string): Record<string, string> {
  const folder = join(store, '..');
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'hex')]),
  );
}

const middleOf = (store: string): number =>
  32 + Math.floor(bytesOf(`${store}-wal`) / frameBytes / 2) * frameBytes;

const faults: [string, (store: string) => void, RegExp][] = [
  ['its log is missing', (store) => rmSync(`${store}-wal`), /queue\.db-wal is missing/],
  ['its log is empty', (store) => truncateSync(`${store}-wal`, 0), /queue\.db-wal is empty/],
  [
    'half of its log is missing',
    (store) => truncateSync(`${store}-wal`, middleOf(store)),
    /was cut or is damaged/,
  ],
  [
    'the last byte of its log is missing',
    (store) => truncateSync(`${store}-wal`, bytesOf(`${store}-wal`) - 1),
    /was cut or is damaged/,
  ],
  [
    'a byte of its log is changed',
    (store) => flip(`${store}-wal`, middleOf(store) + 999),
    /commits follow behind/,
  ],
  [
    'the header of a page in its log is changed',
    (store) => flip(`${store}-wal`, middleOf(store) + 9),
    /-wal/,
  ],
  [
    'the last commit in its log is changed',
    (store) => flip(`${store}-wal`, bytesOf(`${store}-wal`) - 9),
    /was cut/,
  ],
  ['the header of its log is changed', (store) => flip(`${store}-wal`, 17), /damaged at its beginning/],
  [
    'its log is that of another store',
    (store) => copyFileSync(`${other}-wal`, `${store}-wal`),
    /is not the log of/,
  ],
  [
    'its log is that of another store, and its pid file is missing',
    (store) => {
      copyFileSync(`${other}-wal`, `${store}-wal`);
      rmSync(`${store}.pid`);
    },
    /is not the log of/,
  ],
  [
    'a byte of its log is changed, and its pid file is missing',
    (store) => {
      flip(`${store}-wal`, middleOf(store) + 999);
      rmSync(`${store}.pid`);
    },
    /commits follow behind/,
  ],
  ['its file is that of another store', (store) => copyFileSync(other, store), /is another store than/],
  ['its file is missing', (store) => rmSync(store), /queue\.db is gone/],
  ['its file is empty', (store) => truncateSync(store, 0), /queue\.db is gone/],
];

describe('a server does not start on a store whose server was killed if', () => {
  it.each(faults)('%s; `holdfast check --accept-loss` makes it startable', async (_, damage, text) => {
    const store = copyOfKilled();
    damage(store);
    const before = contentOf(store);
    const ended = await site.serveExpectingFailure({ store });
    expect(ended).toMatchObject({ code: 1, error: { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' } });
    expect(ended.error.message).toMatch(text);
    expect(ended.error.help).toContain(`holdfast check ${store} --accept-loss`);
    const checked = await runCommand(['check', store, '--json']);
    expect(checked).toMatchObject({
      code: 1,
      error: { message: ended.error.message, help: ended.error.help },
    });
    expect(contentOf(store)).toEqual(before);

    const acceptedLoss = await runCommand(['check', store, '--accept-loss', '--json']);
    expect(acceptedLoss.code).toBe(0);
    const server = await site.serve({ store });
    const { tasks } = await server.client().list({ queue: 'notes', limit: 100 });
    const left = tasks.map(({ id }) => id);
    const isOther = /is another store/.test(String(ended.error.message));
    if (!isOther) expect(accepted).toEqual(expect.arrayContaining(left));
    await acceptNotes(server.client(), 1, 'afterwards');
    expect(await server.end('SIGTERM')).toBe(0);
  });

  it('its file was replaced by an older backup, beside the log of the newer one', async () => {
    const store = copyOfKilled();
    const again = await site.serve({ store });
    await again.end('SIGTERM');
    const newest = await site.serve({ store });
    await acceptNotes(newest.client(), perBatch, 'newest');
    await newest.end('SIGKILL');
    copyFileSync(backup, store);
    const ended = await site.serveExpectingFailure({ store });
    expect(ended).toMatchObject({ code: 1, error: { reason: 'STORE_CORRUPT' } });
    expect(ended.error.message).toMatch(/queue\.db is older than/);
  });
});

describe('a server starts, and has all tasks, on a store whose server was killed', () => {
  it('and whose files are as they were, however often it is killed', async () => {
    const store = copyOfKilled();
    for (let i = 0; i < 3; i++) {
      const server = await site.serve({ store });
      await server.end('SIGKILL');
    }
    const server = await site.serve({ store });
    await expectEndOnce(server.client(), accepted);
    expect(await server.end('SIGTERM')).toBe(0);
    expect(readdirSync(join(store, '..')).toSorted()).toEqual(['queue.db', 'queue.db.ballast']);
  });

  it('and whose pid file is missing', async () => {
    const store = copyOfKilled();
    rmSync(`${store}.pid`);
    const server = await site.serve({ store });
    for (const id of accepted) expect((await server.client().get(id)).state).toBe('ready');
    await server.end('SIGTERM');
  });

  it('and whose log ends within a commit that the pid file does not know, as after a loss of power', async () => {
    const store = copyOfKilled();
    writeFileSync(`${store}-wal`, Buffer.alloc(frameBytes * 2 + 100, 7), { flag: 'a' });
    const server = await site.serve({ store });
    for (const id of accepted) expect((await server.client().get(id)).state).toBe('ready');
    await server.end('SIGTERM');
  });
});

describe('a program with an embedded store that ends without closing its client', () => {
  it.each([
    ['by itself', ''],
    ['by process.exit', 'process.exit(0);'],
    ['by an error', "throw new Error('of the program');"],
  ])('%s, closes the store', async (_, end) => {
    const store = join(site.dir, `embedded-${folders++}.db`);
    const code = `
      import { connect, defineTask, typed } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
      const note = defineTask('note', { input: typed(), queue: 'notes' });
      const task = await connect('file:' + process.argv[1]).submit(note, { n: 1 });
      console.log(task.id);
      ${end}
    `;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code, store], {
      encoding: 'utf8',
    });
    expect([existsSync(`${store}-wal`), existsSync(`${store}.pid`)]).toEqual([false, false]);
    const server = await site.serve({ store });
    expect((await server.client().get(stdout.trim())).state).toBe('ready');
    await server.end('SIGTERM');
  });
});

it('a second server on an open store is refused as such, and `holdfast check` too', async () => {
  const store = copyOfKilled();
  const server = await site.serve({ store });
  const locked = { code: 4, error: { reason: 'STORE_LOCKED' } };
  expect(await site.serveExpectingFailure({ store })).toMatchObject(locked);
  expect(await runCommand(['check', store, '--accept-loss', '--json'])).toMatchObject(locked);
  rmSync(`${store}.pid`);
  expect(await runCommand(['check', store, '--json'])).toMatchObject(locked);
  for (const id of accepted) expect((await server.client().get(id)).state).toBe('ready');
  await server.end('SIGTERM');
});
