/** Tests what a restart of `holdfast serve` does to a worker that runs tasks: real processes on one store. */
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { holdfast, project, type Started, start } from './command-server.ts';

const files = {
  'contract.ts': `
import { defineTask, typed } from 'holdfast';
export const job = defineTask('job', { input: typed<{ ms: number }>() });`,
  'worker.ts': `
import { appendFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { defineWorker, handle } from 'holdfast';
import { job } from './contract.ts';
export default defineWorker({
  concurrency: 2,
  handlers: [handle(job, async ({ ms }) => {
    appendFileSync('begun', ms + '\\n');
    await setTimeout(ms);
    appendFileSync('ended', ms + '\\n');
  })],
});`,
};

interface Server extends Started {
  readonly grpcPort: number;
}

async function startServe(cwd: string, grpcPort = 0): Promise<Server> {
  const argv = ['serve', '--json', '--plaintext', '--port', String(grpcPort), '--http-port', '0'];
  const server = start(argv, { cwd });
  await server.until(/"grpcPort".*\n/);
  return Object.assign(server, JSON.parse(server.out) as { grpcPort: number });
}

interface Site {
  readonly cwd: string;
  readonly server: Server;
  readonly begun: () => string[];
  readonly ended: () => string[];
  /** Submits a task that runs for `ms` and returns its id. */
  submit(ms: number): Promise<string>;
  /** Returns the kinds of the task's events. */
  events(id: string): Promise<string[]>;
}

async function site(): Promise<Site> {
  const cwd = project(files);
  const server = await startServe(cwd);
  const url = `holdfast+plaintext://127.0.0.1:${server.grpcPort}`;
  const worker = start(['worker', 'worker.ts'], { cwd, env: { HOLDFAST_URL: url } });
  await worker.until(/^working on job\n/);
  const lines = (name: string) => () =>
    readFileSync(join(cwd, name), { encoding: 'utf8', flag: 'a+' }).trim().split('\n');
  return {
    cwd,
    server,
    begun: lines('begun'),
    ended: lines('ended'),
    async submit(ms) {
      const { json } = await holdfast('submit', 'job', JSON.stringify({ ms }), '--json', '--url', url);
      return json.id;
    },
    async events(id) {
      const { json } = await holdfast('show', id, '--history', '--json', '--url', url);
      return (json.history as { kind: string }[]).map(({ kind }) => kind);
    },
  };
}

/** Sends SIGTERM and returns the exit status. */
function stop(server: Server): Promise<number | NodeJS.Signals> {
  server.signal('SIGTERM');
  return server.exit;
}

it('a server that is restarted by SIGTERM keeps the attempt of a running task, and the worker goes on with all tasks', async () => {
  const { cwd, server, begun, ended, submit, events } = await site();
  const long = await submit(15_000);
  await expect.poll(begun).toContain('15000');
  const quick: string[] = [];
  for (let i = 0; i < 50; i++) quick.push(await submit(200));
  expect(await stop(server)).toBe(0);
  // It did not wait for the running task.
  expect(ended()).not.toContain('15000');
  await startServe(cwd, server.grpcPort);
  const done = ['submitted', 'claimed', 'succeeded'];
  await expect.poll(() => events(long), { timeout: 40_000 }).toEqual(done);
  for (const id of quick) {
    await expect.poll(async () => (await events(id)).at(-1), { timeout: 40_000 }).toBe('succeeded');
  }
  expect(begun().filter((line) => line === '15000')).toHaveLength(1);
  expect(begun()).toHaveLength(51);
}, 120_000);

it('a task that ends while its server is down is recorded when the server is back, under the same attempt', async () => {
  const { cwd, server, begun, submit, events } = await site();
  const id = await submit(2_000);
  await expect.poll(begun).toContain('2000');
  expect(await stop(server)).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await startServe(cwd, server.grpcPort);
  await expect.poll(() => events(id)).toEqual(['submitted', 'claimed', 'succeeded']);
  expect(begun()).toEqual(['2000']);
}, 120_000);

it('a server ends by SIGTERM although clients hold connections open and never read', async () => {
  const cwd = project(files);
  const server = await startServe(cwd);
  const sockets = Array.from({ length: 3 }, () => connectSocket(server.grpcPort, '127.0.0.1'));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) {
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.pause();
  }
  expect(await stop(server)).toBe(0);
});
