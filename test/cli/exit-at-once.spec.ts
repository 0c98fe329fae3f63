/** Tests that the server knows of an attempt whose handler ends the worker's process in its first instruction. */
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silent } from '../../src/client/log.ts';
import { connect, defineTask, typed } from '../../src/index.ts';
import { project, start, within } from './command-server.ts';

const job = defineTask('job', { input: typed<null>() });
const module = `
import { defineTask, defineWorker, handle, typed } from 'holdfast';
const job = defineTask('job', { input: typed<null>() });
export default defineWorker({ concurrency: 1, handlers: [handle(job, () => process.exit(3))] });`;

it.each([['plaintext'], ['mutual TLS']])(
  'a task whose handler ends its process at once stays running over %s, and the tasks fetched with it do not',
  async (security) => {
    const cwd = project({ 'worker.ts': module });
    const certificates = security === 'plaintext' ? undefined : await issueCertificates(cwd);
    const flags = certificates === undefined ? ['--plaintext'] : certificates.server;
    const server = start(['serve', ...flags, '--json', '--port', '0', '--http-port', '0'], { cwd });
    await server.until(/"grpcPort".*\n/);
    const { grpcPort } = JSON.parse(server.out) as { grpcPort: number };
    const scheme = certificates === undefined ? 'holdfast+plaintext' : 'holdfast';
    const url = `${scheme}://127.0.0.1:${grpcPort}`;
    const client = connect(url, { log: silent, tls: certificates?.client });
    onTestFinished(() => client.close());
    const tasks = await Promise.all([1, 2, 3].map(() => client.submit(job, null)));
    const worker = start(['worker', 'worker.ts', '--url', url], { cwd, env: certificates?.env ?? {} });
    expect(await worker.exit).toBe(3);
    await expect
      .poll(
        async () => (await Promise.all(tasks.map((task) => task.status()))).map(({ state }) => state).sort(),
        {
          timeout: 8_000,
        },
      )
      .toEqual(['ready', 'ready', 'running']);
    const statuses = await Promise.all(tasks.map((task) => task.status()));
    expect(statuses.map(({ attempt }) => attempt).sort()).toEqual([0, 0, 1]);
  },
);

/** Creates the certificates of a server and a client in the folder. */
async function issueCertificates(cwd: string) {
  await within(cwd, 'certs', 'init');
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server');
  await within(cwd, 'certs', 'issue', 'tester');
  const file = (name: string): string => join(cwd, '.holdfast', 'certs', name);
  const client = { ca: file('ca.crt'), cert: file('tester.crt'), key: file('tester.key') };
  return {
    client,
    server: ['--ca', client.ca, '--cert', file('server.crt'), '--key', file('server.key')],
    env: { HOLDFAST_CA: client.ca, HOLDFAST_CERT: client.cert, HOLDFAST_KEY: client.key },
  };
}
