/** The project and the submissions of the tests about handlers that end their process. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { silent } from '../../src/client/log.ts';
import { type Client, connect, defineTask, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { FailReason, WorkerService } from '../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { project, type Started, start } from './command-server.ts';

export interface Input {
  readonly does: string;
  readonly ms?: number | undefined;
}

export const job = defineTask('job', { input: typed<Input>(), output: typed<string>(), timeout: '60s' });
export const brief = defineTask('brief', { input: typed<Input>(), output: typed<string>(), timeout: '2s' });

/** A worker whose handlers do what their input says, and write each begin to the file `begun`. */
export const poisonWorker = `
import { appendFileSync } from 'node:fs';
import { defineTask, defineWorker, handle, typed } from 'holdfast';
const options = { input: typed<any>(), output: typed<any>() };
const job = defineTask('job', { ...options, timeout: '60s' });
const brief = defineTask('brief', { ...options, timeout: '2s' });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const aborted = (signal: AbortSignal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
const actions: Record<string, (input: any, context: any) => unknown> = {
  wait: async ({ ms }) => { await wait(ms); return 'waited'; },
  exit: async ({ ms }) => { await wait(ms); process.exit(7); },
  exitAtOnce: () => process.exit(0),
  reject: async ({ ms }) => { void Promise.reject(new Error('nobody awaits this')); await wait(ms); },
  kill: async ({ ms }) => { process.kill(process.pid, 'SIGKILL'); await wait(ms); },
  memory: async () => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); },
  loop: () => { for (;;); },
  forever: async (_input, { signal }) => { await aborted(signal); throw signal.reason; },
  fail: () => { throw new TypeError('no luck'); },
  stopping: async (_input, { stopping }) => { await aborted(stopping); return stopping.reason.kind; },
  context: async (_input, context) => {
    context.progress(0.5, 'half');
    context.log.warn({ answer: 42 }, 'logged by the handler');
    const child = await context.submit(job, { does: 'wait', ms: 1 }, { idempotencyKey: 'child' });
    return [await child.result(), (await child.status()).parentId === context.id, context.used].join();
  },
};
const run = async (input: any, context: any) => {
  appendFileSync('begun', [input.does, process.pid].join(' ') + '\\n');
  return actions[input.does]!(input, context);
};
export default defineWorker({
  handlers: [handle(job, run), handle(brief, run)],
  use: [(context, next) => { (context as any).used = 'middleware'; return next(); }],
  onDead: ({ id, message }) => console.log('onDead ' + id + ' ' + message),
});`;

export interface Site {
  readonly cwd: string;
  readonly client: Client;
  readonly url: string;
  readonly server: Started;
}

/** Starts a server in the folder of a project with the worker. */
export async function site(): Promise<Site> {
  const cwd = project({ 'worker.ts': poisonWorker });
  const argv = ['serve', '--plaintext', '--json', '--port', '0', '--http-port', '0'];
  const server = start(argv, { cwd });
  await server.until(/"grpcPort".*\n/);
  const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
  const url = `holdfast+plaintext://127.0.0.1:${grpcPort}`;
  const client = connect(url, { log: silent });
  onTestFinished(() => client.close());
  return { cwd, client, url, server };
}

export type Submitted = Awaited<ReturnType<typeof submitJob>>;

/** Submits a task of the type `job`, or of the type `brief`, whose attempts have a short timeout. */
export function submitJob(client: Client, input: Input, isBrief = false) {
  return client.submit(isBrief ? (brief as unknown as typeof job) : job, input);
}

/** Submits a poison task and 15 innocent ones of 3 to 6 s. */
export async function submitAll(client: Client, does: string) {
  const innocent: Submitted[] = [];
  for (let i = 0; i < 7; i++) innocent.push(await submitJob(client, { does: 'wait', ms: 3_000 + i * 200 }));
  const poison = await submitJob(client, { does, ms: 200 });
  for (let i = 7; i < 15; i++) innocent.push(await submitJob(client, { does: 'wait', ms: 3_000 + i * 200 }));
  return { poison, innocent };
}

/** Waits for the ends of these tasks, and expects that the poison task alone is dead. */
export async function expectEnd(client: Client, { poison, innocent }: Awaited<ReturnType<typeof submitAll>>) {
  const poll = { timeout: 150_000, interval: 500 };
  await expect.poll(async () => (await poison.status()).state, poll).toBe('dead');
  expect(await poison.status()).toMatchObject({ deadReason: 'workerLost', losses: 3, attempt: 0 });
  for (const task of innocent) {
    expect(await task.result()).toBe('waited');
    expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
  }
  const dead = await client.list({ state: 'dead' });
  expect(dead.tasks.map(({ id }) => id)).toEqual([poison.id]);
}

/** Submits tasks that have lost two workers. No worker may run yet. An action with a star is one of the type `brief`. */
export async function submitLost({ client, url }: Site, ...all: Input[]): Promise<Submitted[]> {
  const submitted: Submitted[] = [];
  for (const { does, ms } of all) {
    const isBrief = does.endsWith('*');
    const input = { does: isBrief ? does.slice(0, -1) : does, ms };
    submitted.push(await submitJob(client, input, isBrief));
  }
  const address = url.replace(/^.*:\/\//, '');
  const transport = grpcTransport({ address, tls: undefined, plaintext: true, clock: systemClock() });
  const worker = { workerName: 'gone', workerId: '1', queues: ['default'], maxTasks: 100 };
  const types = ['job', 'brief'].map((type) => ({ type, maxVersion: 1 }));
  for (let i = 0; i < 2; i++) {
    const { tasks } = await transport.call(WorkerService.method.claimTasks, { ...worker, types }, {});
    expect(tasks).toHaveLength(all.length);
    for (const { lease } of tasks)
      await transport.call(WorkerService.method.failTask, { lease, reason: FailReason.LOST }, {});
  }
  await transport.close();
  return submitted;
}

export function startWorker({ cwd, url }: Site, ...argv: string[]): Started {
  return start(['worker', 'worker.ts', '--url', url, ...argv], { cwd });
}

/** Returns the actions that began, each with the id of its process. */
export function begun({ cwd }: Pick<Site, 'cwd'>): { does: string; pid: number }[] {
  const lines = readFileSync(join(cwd, 'begun'), { encoding: 'utf8', flag: 'a+' }).split('\n');
  return lines.filter(Boolean).map((line) => {
    const [does = '', pid] = line.split(' ');
    return { does, pid: Number(pid) };
  });
}
