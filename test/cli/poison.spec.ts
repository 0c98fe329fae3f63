/**
 * Tests a task that ends its process again and again beside innocent ones, with real processes and real leases. Each test
 * waits for two leases.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { type Client, connect } from '../../src/index.ts';
import { dev, project, type Started } from './command-server.ts';
import { begun, poisonWorker, type Submitted, site, startWorker, submitJob } from './poison-worker.ts';

const patienceMs = 180_000;

/** Submits a poison task and 15 innocent ones of 3 to 6 s. */
async function submitAll(client: Client, does: string) {
  const innocent: Submitted[] = [];
  for (let i = 0; i < 7; i++) innocent.push(await submitJob(client, { does: 'wait', ms: 3_000 + i * 200 }));
  const poison = await submitJob(client, { does, ms: 200 });
  for (let i = 7; i < 15; i++) innocent.push(await submitJob(client, { does: 'wait', ms: 3_000 + i * 200 }));
  return { poison, innocent };
}

async function expectEnd(client: Client, { poison, innocent }: Awaited<ReturnType<typeof submitAll>>) {
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

it(
  'of a poison task and 15 innocent ones in holdfast worker only the poison dies, at its third loss, which its worker survives',
  async () => {
    const it = await site();
    const tasks = await submitAll(it.client, 'exit');
    const workers: Started[] = [];
    // Restarts the worker whenever it ends, as a supervisor does.
    let isOver = false;
    const supervise = (): void => {
      if (isOver) return;
      const worker = startWorker(it);
      workers.push(worker);
      void worker.exit.then(supervise);
    };
    // The processes of workers end with the test, in which they are started.
    onTestFinished(() => {
      isOver = true;
      for (const worker of workers) worker.signal('SIGKILL');
    });
    supervise();
    await expectEnd(it.client, tasks);
    expect(workers).toHaveLength(3);
    const last = workers.at(-1);
    expect(last?.child.exitCode).toBeNull();
    expect(last?.err).toContain(`the process of task ${tasks.poison.id} (job) ended by itself (exit code 7)`);
    expect(it.server.err).toContain(`task ${tasks.poison.id} (job) has lost 2 workers; it runs alone`);
    expect(it.server.err).toContain(`task ${tasks.poison.id} (job) is dead: its workers were lost`);
    expect(begun(it).filter(({ does }) => does === 'exit')).toHaveLength(3);
  },
  patienceMs,
);

it(
  'a handler that exits at once in holdfast dev is dead after three losses, starves no other task, and is named',
  async () => {
    const cwd = project({ 'worker.ts': poisonWorker });
    const running = dev(cwd, 'worker.ts');
    await running.until(/working on job, brief/);
    const { url, ...tls } = JSON.parse(readFileSync(join(cwd, '.holdfast/profile.json'), 'utf8')) as {
      url: string;
      ca: string;
      cert: string;
      key: string;
    };
    const at = (file: string): string => join(cwd, '.holdfast', file);
    const files = { ca: at(tls.ca), cert: at(tls.cert), key: at(tls.key) };
    const client = connect(url, { log: silent, tls: files });
    onTestFinished(() => client.close());
    const tasks = await submitAll(client, 'exitAtOnce');
    const ended = 'The worker ended by itself, with exit code 0\\.\\n {2}It .*';
    const { id } = tasks.poison;
    await running.until(new RegExp(`${ended}ran \\d+ tasks: .*${id} \\(job\\)`));
    const quick = await submitJob(client, { does: 'wait', ms: 1 }, true);
    expect(await quick.result()).toBe('waited');
    expect((await tasks.poison.status()).state).toBe('running');
    await expectEnd(client, tasks);
    await running.until(new RegExp(`the process of task ${tasks.poison.id} \\(job\\) ended by itself`));
    expect(running.child.exitCode).toBeNull();
  },
  patienceMs,
);
