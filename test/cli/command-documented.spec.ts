/** Runs the commands of docs/command.md as they are written. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { connect, defineTask, defineWorker, FatalError, handle, typed } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { project } from './command-server.ts';
import { type ExplainedServer, startExplainedServer } from './explained-server.ts';

vi.setConfig({ testTimeout: 120_000 });

const page = readFileSync(new URL('../../docs/command.md', import.meta.url), 'utf8');
const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** Returns the blocks of shell commands below a heading of the page. */
function blocks(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text);
}

let server: ExplainedServer;

async function shell(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const commands = script.replaceAll('npx holdfast', `'${process.execPath}' '${main}'`);
  const options = { cwd: project(), env: { ...process.env, ...env, HOLDFAST_URL: server.url } };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], options);
  return stdout;
}

beforeAll(async () => {
  server = await startExplainedServer(systemClock());
});
afterAll(() => server.close());

it('docs/command.md: the commands for queues, workers and dead tasks work as written', async () => {
  const sendEmail = defineTask('send-email', { input: typed<number>(), queue: 'mail' });
  await using client = connect(server.url, { log: silent });
  await client.queues.create('mail');
  const fail = handle(sendEmail, () => {
    throw new FatalError('no such address');
  });
  const worker = await client.work(defineWorker({ name: 'mailer', handlers: [fail] }));
  const task = await client.submit(sendEmail, 1);
  await task.result().catch(() => {});
  const [operate = ''] = blocks('Queues and dead tasks');
  const out = await shell(operate);
  expect(out).toContain('mail: paused until ');
  expect(out).toContain('(the relay is down)');
  expect(out).toContain('mailer/');
  expect(out).toContain('1 dead task would run again');
  expect(out.trim().split('\n').at(-1)).toMatch(new RegExp(`^${task.id} \\w+$`));
  await worker.drain();
});

it('docs/command.md: the commands that wait for and watch a task work as written', async () => {
  const greet = defineTask('greet', { input: typed<number>() });
  await using client = connect(server.url, { log: silent });
  const worker = await client.work(defineWorker({ handlers: [handle(greet, () => {})] }));
  const { id } = await client.submit(greet, 1);
  const [, watch = ''] = blocks('Queues and dead tasks');
  const out = await shell(watch, { task: id });
  expect(out).toContain(`${id} succeeded`);
  expect(out).toMatch(/submitted[\s\S]*claimed[\s\S]*succeeded/);
  await worker.drain();
});
