/**
 * Tests a task that ends the process of `holdfast worker` again and again beside innocent ones, with real processes and real
 * leases. The test waits for two leases.
 */
import { expect, it, onTestFinished } from 'vitest';
import type { Started } from './command-server.ts';
import { begun, expectEnd, site, startWorker, submitAll } from './poison-worker.ts';

const patienceMs = 240_000;

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
