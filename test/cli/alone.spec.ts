/**
 * Tests tasks whose workers were lost twice: `holdfast worker` and `holdfast dev` run each of them in a process of its
 * own. All processes are real.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import type { TaskHandle } from '../../src/index.ts';
import { start } from './command-server.ts';
import { begun, job, type Site, type Submitted, site, startWorker, submitLost } from './poison-worker.ts';

const stateOf = async (task: TaskHandle<unknown>): Promise<string> => (await task.status()).state;

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Starts a worker whose process, and those of its lost tasks, run this code before anything else. */
function startPreloaded({ url, cwd }: Site, code: string) {
  const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(code)}`;
  return start(['worker', 'worker.ts', '--url', url], { cwd, env: { NODE_OPTIONS } });
}

it.each([
  ['exit', 'exit code 7'],
  ['exitAtOnce', 'exit code 0'],
  ['reject', 'exit code 1'],
  ['kill', 'SIGKILL'],
])(
  'a lost task whose handler ends its process (%s) is dead at once, and holdfast worker and its other tasks go on',
  async (does, how) => {
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
    expect(other?.pid).toBe(worker.child.pid);
    expect(begun(it).find((one) => one.does === does)?.pid).not.toBe(worker.child.pid);
  },
);

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

it('a lost task runs although the module of its worker unreferenced the channel of its process', async () => {
  const it = await site();
  const [task = expect.fail()] = await submitLost(it, { does: 'wait', ms: 1 });
  startPreloaded(it, 'process.channel?.unref()');
  expect(await task.result()).toBe('waited');
});

it.each([
  ['ends when it should call the handler', () => "process.on('message',()=>process.exit(3))"],
  [
    'opens a port that its worker has opened',
    (port: number) => `import net from 'node:net';net.createServer().listen(${port},'127.0.0.1')`,
  ],
])(
  'a lost task whose own process %s before the call of its handler counts no loss, and runs in the process of its worker',
  async (_what, code) => {
    const it = await site();
    const tasks = await submitLost(it, { does: 'wait', ms: 1 }, { does: 'wait', ms: 2 });
    const worker = startPreloaded(it, code(await freePort()));
    await worker.until(/could not start a process for task/);
    for (const task of tasks) {
      expect(await task.result()).toBe('waited');
      expect(await task.status()).toMatchObject({ losses: 2, attempt: 1 });
    }
    expect(begun(it).map(({ pid }) => pid)).toEqual([worker.child.pid, worker.child.pid]);
  },
);

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
