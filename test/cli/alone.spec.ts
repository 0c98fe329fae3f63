/**
 * Tests tasks whose workers were lost twice: `holdfast worker` and `holdfast dev` run each of them in a process of its
 * own. All processes are real.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { silent } from '../../src/client/log.ts';
import { type Client, connect, defineTask, type TaskHandle, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { FailReason, WorkerService } from '../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { project, type Started, start } from './command-server.ts';

interface Input {
  readonly does: string;
  readonly ms?: number;
}

const job = defineTask('job', { input: typed<Input>(), output: typed<string>(), timeout: '60s' });
const brief = defineTask('brief', { input: typed<Input>(), output: typed<string>(), timeout: '2s' });

const workerModule = `
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
  forever: (_input, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  fail: () => { throw new TypeError('no luck'); },
  stopping: async (_input, { stopping }) => { await aborted(stopping); return stopping.reason.kind; },
  context: async (_input, context) => {
    context.progress(0.5, 'half');
    context.log.warn({ answer: 42 }, 'logged by the handler');
    const child = await context.submit(job, { does: 'wait', ms: 1 }, { key: 'child' });
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

interface Site {
  readonly cwd: string;
  readonly client: Client;
  readonly url: string;
  readonly server: Started;
}

async function site(): Promise<Site> {
  const cwd = project({ 'worker.ts': workerModule });
  const argv = ['serve', '--plaintext', '--json', '--port', '0', '--http-port', '0'];
  const server = start(argv, { cwd });
  await server.until(/\n/);
  const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
  const url = `holdfast+plaintext://127.0.0.1:${grpcPort}`;
  const client = connect(url, { log: silent });
  onTestFinished(() => client.close());
  return { cwd, client, url, server };
}

type Submitted = Awaited<ReturnType<typeof submitJob>>;
const submitJob = (client: Client, input: Input) => client.submit(job, input);

/** Submits tasks that have lost two workers. No worker may run yet. An action with a star is one of the type `brief`. */
async function submitLost({ client, url }: Site, ...all: Input[]): Promise<Submitted[]> {
  const submitted: Submitted[] = [];
  for (const { does, ms } of all)
    submitted.push(
      does.endsWith('*')
        ? ((await client.submit(brief, { does: does.slice(0, -1) })) as unknown as Submitted)
        : await submitJob(client, { does, ms }),
    );
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

function startWorker({ cwd, url }: Site, ...argv: string[]): Started {
  return start(['worker', 'worker.ts', '--url', url, ...argv], { cwd });
}

/** Returns the actions that began, each with the id of its process. */
function begun({ cwd }: Pick<Site, 'cwd'>): { does: string; pid: number }[] {
  const lines = readFileSync(join(cwd, 'begun'), { encoding: 'utf8', flag: 'a+' }).split('\n');
  return lines.filter(Boolean).map((line) => {
    const [does = '', pid] = line.split(' ');
    return { does, pid: Number(pid) };
  });
}

const stateOf = async (task: TaskHandle<unknown>): Promise<string> => (await task.status()).state;

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

it.each([
  ['exit', 'exit code 7'],
  ['exitAtOnce', 'exit code 0'],
  ['reject', 'exit code 1'],
  ['kill', 'SIGKILL'],
])('a lost task whose handler ends its process (%s) is dead at once, and holdfast worker and its other tasks go on', async (does, how) => {
  const it = await site();
  const [poison = expect.fail()] = await submitLost(it, { does, ms: 200 });
  const innocent = await it.client.submit(job, { does: 'wait', ms: 2_000 });
  const worker = startWorker(it);
  await worker.until(/ended by itself/);
  await expect.poll(() => stateOf(poison)).toBe('dead');
  const status = await poison.status();
  expect(status).toMatchObject({ deadReason: 'workerLost', losses: 3, attempt: 0 });
  expect(status.lastError).toContain(`(${how})`);
  const line = worker.err.split('\n').find((text) => text.includes('ended by itself'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ task_id: poison.id, type: 'job', how, losses: 3 });
  await expect.poll(() => worker.out).toContain(`onDead ${poison.id}`);
  expect(await innocent.result()).toBe('waited');
  expect(await innocent.status()).toMatchObject({ attempt: 1, losses: 0 });
  expect(worker.child.exitCode).toBeNull();
  await it.server.until(/has lost 2 workers; it runs alone/);
  await it.server.until(/is dead: its workers were lost/);
  const other = begun(it).find((one) => one.does === 'wait');
  expect([other?.pid, worker.child.pid]).toEqual([worker.child.pid, other?.pid]);
  expect(begun(it).find((one) => one.does === does)?.pid).not.toBe(worker.child.pid);
});

it('a lost task whose handler uses up the memory ends its own process only', async () => {
  const it = await site();
  const [poison = expect.fail()] = await submitLost(it, { does: 'memory' });
  const worker = start(['worker', 'worker.ts', '--url', it.url], {
    cwd: it.cwd,
    env: { NODE_OPTIONS: '--max-old-space-size=64' },
  });
  await worker.until(/ended by itself/);
  await expect.poll(() => stateOf(poison)).toBe('dead');
  expect(worker.child.exitCode).toBeNull();
});

it('a lost task in its own process has the whole context, and its failures and results are recorded as always', async () => {
  const it = await site();
  const actions = ['context', 'fail', 'forever*', 'loop*', 'forever'];
  const tasks = await submitLost(it, ...actions.map((does) => ({ does })));
  const [context, failing, timed, looping, cancelled] = tasks as [
    Submitted,
    Submitted,
    Submitted,
    Submitted,
    Submitted,
  ];
  const worker = startWorker(it);
  expect(await context.result()).toBe('waited,true,middleware');
  expect(worker.err).toContain('logged by the handler');
  expect((await it.client.getByKey('child')).parentId).toBe(context.id);
  await expect.poll(async () => (await failing.status()).lastError).toBe('no luck');
  expect(await failing.status()).toMatchObject({ losses: 2 });
  for (const task of [timed, looping])
    await expect.poll(async () => (await task.status()).lastError).toMatch(/did not end within/);
  const loop = begun(it).find(({ does }) => does === 'loop')?.pid ?? 0;
  await expect.poll(() => isAlive(loop)).toBe(false);
  await expect.poll(() => begun(it).filter(({ does }) => does === 'forever').length).toBeGreaterThan(1);
  await cancelled.cancel();
  await expect.poll(() => stateOf(cancelled), { timeout: 15_000 }).toBe('cancelled');
});

it('a lost task in its own process learns of the drain of its worker, and its outcome is recorded', async () => {
  const it = await site();
  const [task = expect.fail()] = await submitLost(it, { does: 'stopping' });
  const worker = startWorker(it);
  await expect.poll(() => begun(it)).toHaveLength(1);
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
  expect(await task.result()).toBe('shutdown');
});

it('the process of a lost task ends with its worker, also if the worker is killed or the handler loops', async () => {
  const it = await site();
  await submitLost(it, { does: 'forever' }, { does: 'loop' });
  const worker = startWorker(it);
  await expect.poll(() => begun(it)).toHaveLength(2);
  const pids = begun(it).map(({ pid }) => pid);
  for (const pid of pids) expect([isAlive(pid), pid === worker.child.pid]).toEqual([true, false]);
  worker.signal('SIGKILL');
  await expect.poll(() => pids.some(isAlive)).toBe(false);
});
