/** Tests `holdfast worker --protect-task` beside an HTTP server in the role of the agent of ECS. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { connect, defineTask, typed } from '../../src/index.ts';
import { project, start } from './command-server.ts';

const job = defineTask('job', { input: typed<null>() });
const module = `
import { defineTask, defineWorker, handle, typed } from 'holdfast';
const job = defineTask('job', { input: typed<null>() });
export default defineWorker({
  handlers: [handle(job, (_input, { stopping }) => new Promise((resolve) => stopping.addEventListener('abort', resolve)))],
});`;

/** Starts the agent, whose answers have this status. Returns its URI and the protections that it was sent. */
async function startAgent(status: number) {
  const sent: boolean[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { ProtectionEnabled } = JSON.parse(Buffer.concat(chunks).toString()) as {
      readonly ProtectionEnabled: boolean;
    };
    sent.push(ProtectionEnabled);
    response.statusCode = status;
    response.end(JSON.stringify(status === 200 ? { protection: { ProtectionEnabled } } : {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { sent, uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/token` };
}

/** Starts a server and a worker with `--protect-task`, and submits a task that runs until the worker stops. */
async function working(status: number) {
  const agent = await startAgent(status);
  const cwd = project({ 'worker.ts': module });
  const server = start(['serve', '--plaintext', '--json', '--port', '0', '--http-port', '0'], { cwd });
  await server.until(/"grpcPort".*\n/);
  const url = `holdfast+plaintext://127.0.0.1:${(JSON.parse(server.out) as { grpcPort: number }).grpcPort}`;
  const client = connect(url, { log: silent });
  onTestFinished(() => client.close());
  const worker = start(['worker', 'worker.ts', '--protect-task', '--url', url], {
    cwd,
    env: { ECS_AGENT_URI: agent.uri, HOLDFAST_LOG: 'warn' },
  });
  await worker.until(/working on job/);
  return { agent, worker, client };
}

it('a worker protects its ECS task when the first task begins, and takes the protection back before it ends', async () => {
  const { agent, worker, client } = await working(200);
  expect(agent.sent).toEqual([]);
  const tasks = await Promise.all([client.submit(job, null), client.submit(job, null)]);
  await expect.poll(() => agent.sent).toEqual([true]);
  await expect.poll(async () => (await tasks[1]?.status())?.state).toBe('running');
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
  expect(agent.sent).toEqual([true, false]);
  for (const task of tasks) expect((await task.status()).state).toBe('succeeded');
});

it('an agent that fails costs no task', async () => {
  const { agent, worker, client } = await working(500);
  const task = await client.submit(job, null);
  await expect.poll(() => worker.err).toContain('may be stopped by scale-in');
  await expect.poll(async () => (await task.status()).state).toBe('running');
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
  expect((await task.status()).state).toBe('succeeded');
  expect(agent.sent).toEqual([true, false]);
});

it('--protect-task is refused where the process is no task of ECS', async () => {
  const cwd = project({ 'worker.ts': module });
  const worker = start(['worker', 'worker.ts', '--protect-task'], { cwd, env: { ECS_AGENT_URI: '' } });
  expect(await worker.exit).toBe(2);
  expect(worker.err).toContain('--protect-task needs the agent of ECS, and ECS_AGENT_URI is not set.');
});
