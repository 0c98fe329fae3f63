/** Tests how a server on AWS stops: a real process with open polls, running tasks, and a table that does not answer. */
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { start } from '../cli/command-server.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';

const job = defineTask('job', { input: typed<{ ms: number }>() });
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let store: AwsStore;
beforeAll(async () => {
  Object.assign(process.env, credentials);
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: 'stopping', region: 'eu-central-1', ...endpoints };
  await initAws({
    store,
    tenant: 'default',
    queues: ['default', 'other'],
    priorities: undefined,
    check: false,
  });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

/** Starts a way to the table over which, once it is frozen, no byte comes or goes. */
async function startFreezable(): Promise<{ readonly url: string; freeze(): void }> {
  const target = new URL(dynoxide.endpoint);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    if (isFrozen) return;
    const upstream = connectSocket(Number(target.port), target.hostname);
    sockets.add(upstream.on('error', () => {}));
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

async function startServe(endpointDynamodb = dynoxide.endpoint, port = 0) {
  const env = {
    ...credentials,
    HOLDFAST_ENGINE: 'aws',
    HOLDFAST_AWS_TABLE: store.table,
    HOLDFAST_AWS_REGION: 'eu-central-1',
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: endpointDynamodb,
    HOLDFAST_AWS_ENDPOINT_SQS: sqs.endpoint,
  };
  const argv = ['serve', '--json', '--plaintext', '--port', String(port), '--http-port', '0'];
  const server = start(argv, { env });
  await server.until(/"grpcPort".*\n/);
  return { server, port: (JSON.parse(server.out) as { grpcPort: number }).grpcPort };
}

/** Connects a worker that runs tasks of a given duration, and returns the lists of the tasks that have begun and ended. */
async function startWorker(port: number, queue = 'default') {
  const client = connect(`holdfast://127.0.0.1:${port}`, { plaintext: true });
  const begun: number[] = [];
  const ended: number[] = [];
  const running = await client.work(
    defineWorker({
      queues: [queue],
      concurrency: 2,
      handlers: [
        handle(job, async ({ ms }) => {
          begun.push(ms);
          await new Promise((resolve) => setTimeout(resolve, ms));
          ended.push(ms);
        }),
      ],
    }),
  );
  onTestFinished(async () => {
    await running.drain({ timeout: '1ms' });
    await client.close();
  });
  return { client, begun, ended };
}

test('a server on AWS that is restarted by SIGTERM keeps the attempt of a running task, and takes its outcome', async () => {
  const { server, port } = await startServe();
  const { client, begun, ended } = await startWorker(port);
  const task = await client.submit(job, { ms: 15_000 });
  await expect.poll(() => begun).toEqual([15_000]);
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
  // It did not wait for the running task, nor for a poll of SQS, which takes 20 s.
  expect(ended).toEqual([]);
  const again = await startServe(dynoxide.endpoint, port);
  await task.result();
  const kinds: string[] = [];
  for await (const { kind } of task.events()) kinds.push(kind);
  expect(kinds).toEqual(['submitted', 'claimed', 'succeeded']);
  expect(begun).toEqual([15_000]);
  again.server.signal('SIGTERM');
  expect(await again.server.exit).toBe(0);
}, 120_000);

test('a server on AWS ends by SIGTERM with status 0 although its table does not answer any more', async () => {
  const way = await startFreezable();
  const { server, port } = await startServe(way.url);
  // The stand-in of SQS may give a message of `default` to an open poll of the server that has ended.
  const { client, begun } = await startWorker(port, 'other');
  await client.submit(job, { ms: 1 }, { queue: 'other' });
  await expect.poll(() => begun).toEqual([1]);
  way.freeze();
  void client.submit(job, { ms: 2 }, { queue: 'other' }).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  const beganMs = performance.now();
  server.signal('SIGTERM');
  expect(await server.exit).toBe(0);
  // A single call to the table would wait for an answer for 20 s, with its repeats.
  expect(performance.now() - beganMs).toBeLessThan(19_000);
}, 120_000);
