/**
 * Tests a task that ends the worker of `holdfast dev` again and again beside innocent ones, with real processes and real leases.
 * The test waits for two leases, as the one of `poison.spec.ts` does: in files of their own, both run at once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { connect } from '../../src/index.ts';
import { dev, project } from './command-server.ts';
import { expectEnd, poisonWorker, submitAll, submitJob } from './poison-worker.ts';

const patienceMs = 240_000;

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
