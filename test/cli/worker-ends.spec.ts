/** Tests the end of `holdfast worker` by a signal: the process ends within its drain and 1 s, whatever its module does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { type Client, connect, defineTask, typed } from '../../src/index.ts';
import { project, type Started, start } from './command-server.ts';

const job = defineTask('job', { input: typed<null>(), timeout: '60s', retry: { maxAttempts: 2 } });

/**
 * The longest time between the signal and the end in these tests. It is far longer than the drain, so that a busy machine
 * fails no test, and shorter than everything for which a process that does not end would wait.
 */
const patienceMs = 12_000;

interface Server extends Started {
  readonly url: string;
  readonly client: Client;
}

async function startServer(cwd: string): Promise<Server> {
  const server = start(['serve', '--plaintext', '--json', '--port', '0', '--http-port', '0'], { cwd });
  await server.until(/"grpcPort".*\n/);
  const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
  const url = `holdfast+plaintext://127.0.0.1:${grpcPort}`;
  const client = connect(url, { log: silent });
  onTestFinished(() => client.close());
  return Object.assign(server, { url, client });
}

/** Returns the source code of a worker module whose handler runs `body`, after `before` at the top level. */
function workerModule(body: string, before = ''): string {
  return `
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { defineTask, defineWorker, handle, Snooze, typed } from 'holdfast';
const job = defineTask('job', { input: typed<null>(), timeout: '60s', retry: { maxAttempts: 2 } });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const untilAborted = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
${before}
export default defineWorker({
  handlers: [handle(job, async (_input, { stopping, signal }) => {
    console.log('begun');
    ${body}
  })],
});`;
}

const holds = `
setInterval(() => {}, 1_000);
createServer().listen(0, '127.0.0.1');
`;

/** Starts a server and a worker, and waits until the worker runs a task. */
async function runningTask(body: string, { before = '', argv = ['--drain', '2s'] } = {}) {
  const cwd = project({ 'worker.ts': workerModule(body, before) });
  const server = await startServer(cwd);
  const worker = start(['worker', 'worker.ts', '--url', server.url, ...argv], {
    cwd,
    env: { HOLDFAST_LOG: 'info' },
  });
  await worker.until(/working on job/);
  const task = await server.client.submit(job, null);
  await worker.until(/begun/);
  return { cwd, server, worker, task };
}

/** Resolves with the exit status of the process; fails if the process does not end. */
async function end({ exit }: Started): Promise<number | NodeJS.Signals> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = setTimeout(() => reject(new Error('the process did not end')), patienceMs);
  try {
    return await Promise.race([exit, promise]);
  } finally {
    clearTimeout(late);
  }
}

/** Returns the line that a worker logs when it has drained. */
function reportOf({ err }: Started): object {
  const line = err.split('\n').find((text) => text.includes('the worker has drained and ends'));
  return JSON.parse(line ?? '{}') as object;
}

it('holdfast worker ends with status 0 at SIGTERM although its module holds a timer and a server', async () => {
  const { worker, task } = await runningTask('await untilAborted(stopping);', { before: holds });
  worker.signal('SIGTERM');
  expect(await end(worker)).toBe(0);
  expect(reportOf(worker)).toMatchObject({ signal: 'SIGTERM', finished: 1, released: 0, unanswered: 0 });
  expect((await task.status()).state).toBe('succeeded');
});

it('holdfast worker ends with its error although its module holds a timer and a server', async () => {
  const cwd = project({ 'worker.ts': `setInterval(() => {}, 1_000);\nexport default 1;` });
  const worker = start(['worker', 'worker.ts'], { cwd });
  expect(await end(worker)).toBe(2);
  expect(worker.err).toContain('no worker as its default export');
});

it('a handler in holdfast worker learns of SIGTERM before its signal is aborted, and its Snooze is recorded', async () => {
  const { worker, task } = await runningTask(
    `await untilAborted(stopping);
    console.log('stopping, aborted: ' + signal.aborted);
    throw new Snooze('1h');`,
    { argv: [] },
  );
  worker.signal('SIGTERM');
  await worker.until(/draining: running tasks may finish within 25 s/);
  await worker.until(/stopping, aborted: false/);
  expect(await end(worker)).toBe(0);
  expect(await task.status()).toMatchObject({ state: 'scheduled', attempt: 0 });
});

it('a handler that ignores its signals ends with holdfast worker, before its task is run by another worker as the first attempt', async () => {
  // The effects after the abort are far apart: the worker releases the task and ends between two of them.
  const { cwd, server, worker, task } = await runningTask(
    `const effect = () => appendFileSync('effects', process.pid + '\\n');
    effect();
    await untilAborted(signal);
    for (;;) { effect(); await wait(5_000); }`,
  );
  const other = start(['worker', 'worker.ts', '--url', server.url], { cwd });
  await other.until(/working on job/);
  worker.signal('SIGTERM');
  expect(await end(worker)).toBe(0);
  expect(reportOf(worker)).toMatchObject({ finished: 0, released: 1, unanswered: 0, still_running: 1 });
  const pids = () => readFileSync(join(cwd, 'effects'), 'utf8').trim().split('\n').map(Number);
  await expect.poll(pids).toContain(other.child.pid);
  expect(pids().lastIndexOf(worker.child.pid ?? 0)).toBe(pids().length - 2);
  expect(pids().at(-1)).toBe(other.child.pid);
  expect(await task.status()).toMatchObject({ state: 'running', attempt: 1 });
});

it('holdfast worker ends at SIGTERM although its server is stopped, and leaves the task to its lease', async () => {
  const { server, worker } = await runningTask('await untilAborted(stopping);', { before: holds });
  server.signal('SIGSTOP');
  worker.signal('SIGTERM');
  expect(await end(worker)).toBe(0);
  expect(reportOf(worker)).toMatchObject({ finished: 1, unanswered: 1 });
});

it('holdfast worker ends at SIGTERM although its server is gone', async () => {
  const { server, worker } = await runningTask('await untilAborted(signal);', { before: holds });
  server.signal('SIGKILL');
  await server.exit;
  worker.signal('SIGTERM');
  expect(await end(worker)).toBe(0);
  expect(reportOf(worker)).toMatchObject({ finished: 1, released: 0, unanswered: 1 });
});

it('holdfast worker is killed at the end of its drain if a handler blocks the thread since it learned of SIGTERM', async () => {
  const { worker } = await runningTask('await untilAborted(stopping); for (;;);');
  worker.signal('SIGTERM');
  expect(await end(worker)).toBe('SIGKILL');
});

it.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
  ['SIGINT', 'SIGINT'],
] as const)('%s and then %s end holdfast worker at once, with status 130', async (first, second) => {
  const { worker } = await runningTask('await wait(60_000);', { before: holds, argv: ['--drain', '1h'] });
  worker.signal(first);
  await worker.until(/draining: running tasks may finish within 3600 s/);
  worker.signal(second);
  expect(await end(worker)).toBe(130);
});

it.each([['soon'], ['10'], ['12h'], ['-1s']])(
  'holdfast worker refuses --drain %s as a usage error',
  async (length) => {
    const cwd = project({ 'worker.ts': workerModule('') });
    const worker = start(['worker', 'worker.ts', '--drain', length], { cwd });
    expect(await end(worker)).toBe(2);
    expect(worker.err).toMatch(/--drain <length>/);
  },
);
