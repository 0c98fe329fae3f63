/** Files of an open store that are moved, removed, replaced or changed, with real servers and real programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/index.ts';
import { type LogLine, type Server, Site } from './bad-input-server.ts';
import { spawnCommand } from './command.ts';
import { acceptNotes, note } from './tasks.ts';

/** A process notices the loss of its file within 2 s, or never. On a busy machine it may take longer, also until it has ended. */
const endMs = 20_000;
const tasks = 50;

let site: Site;
/** An intact file of another store. */
let other: string;
beforeAll(async () => {
  site = await Site.make();
  const server = await site.serve();
  await acceptNotes(server.client(), 500);
  await server.end('SIGTERM');
  other = join(site.dir, 'other.db');
  renameSync(site.store, other);
});
afterAll(() => site[Symbol.asyncDispose]());

/** Changes the files of an open store. `store` is the path of its file. */
type Loss = (store: string) => void;

const losses: [string, Loss, RegExp][] = [
  ['another file is moved over it', (store) => moveOver(other, store), /queue\.db was replaced by another/],
  ['the file is removed', (store) => rmSync(store), /queue\.db was moved or removed/],
  [
    'the folder is moved',
    (store) => renameSync(join(store, '..'), join(store, '../../elsewhere')),
    /moved or removed/,
  ],
  ['the folder is removed', (store) => rmSync(join(store, '..'), { recursive: true }), /moved or removed/],
  ['the log is removed', (store) => rmSync(`${store}-wal`), /queue\.db-wal was moved or removed/],
  ['a log is moved over its log', (store) => moveOver(other, `${store}-wal`), /-wal was replaced by another/],
  [
    'another file is copied into it',
    (store) => copyFileSync(other, store),
    /queue\.db was changed by another/,
  ],
  ['the file is cut', (store) => truncateSync(store, 0), /queue\.db was changed by another program/],
  ['the log is cut', (store) => truncateSync(`${store}-wal`, 0), /-wal was changed by another program/],
];

function moveOver(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

let folders = 0;
/** Returns the path of a store in a new folder, which a loss may move or remove. */
function newStore(): string {
  const folder = join(site.dir, `folder-${folders++}`, 'store');
  mkdirSync(folder, { recursive: true });
  return join(folder, 'queue.db');
}

function failureOf(server: Server): LogLine | undefined {
  return server.lines().find(({ msg }) => msg === 'the store failed; the server ends');
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T | 'too late'> {
  return Promise.race([promise, sleep(ms, 'too late' as const, { ref: false })]);
}

describe('a server whose store loses its file', () => {
  it.each(losses)('because %s ends with status 1, and its log names the remedy', async (_, lose, how) => {
    const store = newStore();
    const server = await site.serve({ store });
    await acceptNotes(server.client(), tasks);
    lose(store);
    expect(await within(endMs, server.end('SIGCONT'))).toBe(1);
    expect(failureOf(server)).toMatchObject({
      level: 50,
      err: {
        reason: 'STORE_MOVED',
        message: expect.stringMatching(how),
        help: expect.stringMatching(/start again/),
      },
    });
  });

  it('acknowledges nothing that is not in its own file', async () => {
    const store = newStore();
    const server = await site.serve({ store });
    const client = server.client();
    const acknowledged = await acceptNotes(client, tasks);
    let n = 0;
    let isMoved = false;
    const afterwards: string[] = [];
    const submitting = (async () => {
      for (;;) {
        const task = await client.submit(note, { n }, { idempotencyKey: `more/${n++}` });
        (isMoved ? afterwards : acknowledged).push(task.id);
      }
    })().catch(() => {});
    await sleep(100);
    isMoved = true;
    renameSync(store, `${store}.moved`);
    expect(await within(endMs, server.end('SIGCONT'))).toBe(1);
    await client.close();
    await submitting;
    expect(afterwards.length).toBeLessThanOrEqual(tasks);
    renameSync(`${store}.moved`, store);
    const again = await site.serve({ store });
    for (const id of [...acknowledged, ...afterwards])
      expect((await again.client().get(id)).state).toBe('ready');
    await again.end('SIGTERM');
  });

  it('does not touch a store that was moved over its own, nor the log of that store', async () => {
    const store = newStore();
    const server = await site.serve({ store });
    await acceptNotes(server.client(), tasks);
    const log = Buffer.from('the log of another store');
    writeFileSync(`${store}-wal.new`, log);
    renameSync(`${store}-wal.new`, `${store}-wal`);
    moveOver(other, store);
    expect(await within(endMs, server.end('SIGCONT'))).toBe(1);
    expect(readFileSync(`${store}-wal`).equals(log)).toBe(true);
    expect(readFileSync(store).equals(readFileSync(other))).toBe(true);
  });

  it('because its log is removed loses no task: the log was copied into the file', async () => {
    const store = newStore();
    const server = await site.serve({ store });
    const ids = await acceptNotes(server.client(), tasks);
    rmSync(`${store}-wal`);
    expect(await within(endMs, server.end('SIGCONT'))).toBe(1);
    const again = await site.serve({ store });
    for (const id of ids) expect((await again.client().get(id)).state).toBe('ready');
    await again.end('SIGTERM');
  });

  it('goes on if another program only sets the time of the file', async () => {
    const store = newStore();
    const server = await site.serve({ store });
    utimesSync(store, 1, 1);
    await sleep(1_500);
    expect(await acceptNotes(server.client(), tasks)).toHaveLength(tasks);
    expect(await server.end('SIGTERM')).toBe(0);
  });
});

it('holdfast dev ends with status 1 when its store is removed, and logs why', async () => {
  const cwd = join(newStore(), '..');
  const child = spawnCommand(['dev', '--json', '--port', '0', '--http-port', '0'], { cwd });
  let log = '';
  child.stderr?.on('data', (bytes) => (log += bytes));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  rmSync(join(cwd, '.holdfast/queue.db'));
  expect(await within(endMs, once(child, 'exit'))).toEqual([1, null]);
  expect(log).toMatch(/STORE_MOVED/);
  expect(log).toMatch(/was moved or removed while it was open/);
});

describe('a program with an embedded store', () => {
  it.concurrent.each(losses)('goes on, and its client gets an error, when %s', async (_, lose) => {
    const store = newStore();
    const client = connect(`file:${store}`, { retryFor: 0 });
    await acceptNotes(client, tasks);
    lose(store);
    const refused = { code: 'DATA_LOSS', reason: 'STORE_MOVED', help: expect.stringMatching(/start again/) };
    const submission = () => client.submit(note, { n: 1 });
    await vi.waitFor(() => expect(submission()).rejects.toMatchObject(refused), {
      timeout: endMs,
      interval: 200,
    });
    await client.close();
  });

  it('that ends by itself after its file was replaced does not touch the other file and its log', async () => {
    const store = newStore();
    const code = `
      import { connect, defineTask, typed } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
      const note = defineTask('note', { input: typed(), queue: 'notes' });
      const client = connect('file:' + process.argv[1], { retryFor: 0 });
      await client.submit(note, { n: 1 });
      console.log('open');
      await new Promise((resolve) => process.stdin.once('data', resolve));
      process.stdin.destroy();
      for (;;) {
        const answer = await client.submit(note, { n: 2 }).catch((thrown) => thrown);
        if (answer instanceof Error) {
          console.log(answer.reason);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    `;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code, store], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    await once(child.stdout, 'data');
    writeFileSync(`${store}-wal.new`, 'the log of another store');
    renameSync(`${store}-wal.new`, `${store}-wal`);
    moveOver(other, store);
    await sleep(1_500);
    child.stdin.write('\n');
    expect(await within(endMs, once(child, 'exit'))).toEqual([0, null]);
    expect(out).toBe('open\nSTORE_MOVED\n');
    expect(readFileSync(`${store}-wal`, 'utf8')).toBe('the log of another store');
    expect(readFileSync(store).equals(readFileSync(other))).toBe(true);
  });
});
