/** Tests a worker on gRPC beside a DynamoDB table and SQS queues that do not answer for some seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, type TestContext, test, vi } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { silent } from '../../src/client/log.ts';
import { connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { startSqsProxy } from '../stand-ins/proxy/sqs-proxy.ts';

vi.setConfig({ testTimeout: 240_000 });

/**
 * Longer than two requests to the table last until they are given up, and so long that a worker expects fewer tasks and
 * replaces its credit.
 */
const outageMs = 12_000;
const taskCount = 500;
/** The longest wait for tasks. It is far longer than they take, so that a busy machine fails no test. */
const patienceMs = 150_000;
const job = defineTask('job', { input: typed<number>(), timeout: '60s', retry: { maxAttempts: 9 } });

/**
 * Starts a server on stand-ins, a worker and a client. Everything is closed when the test of this context has finished: the hook that
 * vitest exports would be that of the test which began last.
 */
async function startWorker({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  const [dynoxide, fauxqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  onTestFinished(async () => void (await Promise.all([dynoxide.stop(), fauxqs.stop()])));
  const table = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const sqs = await startSqsProxy({ upstream: fauxqs.endpoint, seed: 1 });
  onTestFinished(async () => void (await Promise.all([table.close(), sqs.close()])));
  const endpoints = { endpointDynamodb: table.url, endpointSqs: sqs.url };
  const store = { table: 'silent', region: 'local', ...endpoints };
  await initAws({ store, tenant: 'default', queues: ['mail'], priorities: undefined, check: false });
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const clock = systemClock();
  const server = await serve({ store, node: 'n', clock, log: silentLog, grpc: free, http: free });
  onTestFinished(() => server.close(0));
  const url = `holdfast+plaintext://127.0.0.1:${server.listening.grpcPort}`;
  const client = connect(url, { log: silent, retryFor: '60s' });
  onTestFinished(() => client.close());
  const done = new Set<number>();
  const run = async (n: number): Promise<void> => {
    await sleep(50);
    done.add(n);
  };
  await client.work(defineWorker({ queues: ['mail'], concurrency: 10, handlers: [handle(job, run)] }));
  const submit = async (): Promise<void> => {
    const inputs = Array.from({ length: taskCount }, (_, n) => ({ input: n, queue: 'mail' }));
    for (let at = 0; at < taskCount; at += 100) await client.submitMany(job, inputs.slice(at, at + 100));
  };
  return { table, sqs, done, submit };
}

test.concurrent.for([['table'], ['table and the queues']])(
  'a worker gets tasks again after the %s did not answer for 12 s',
  async ([silentParts], context) => {
    const { table, sqs, done, submit } = await startWorker(context);
    await submit();
    await vi.waitUntil(() => done.size > 20, { timeout: patienceMs });
    const proxies = silentParts === 'table' ? [table] : [table, sqs];
    for (const proxy of proxies) await proxy.outage('hang');
    await sleep(outageMs);
    for (const proxy of proxies) await proxy.outage(undefined);
    const before = done.size;
    expect(before).toBeLessThan(taskCount);
    const missing = () => Array.from({ length: taskCount }, (_, n) => n).filter((n) => !done.has(n));
    await vi.waitFor(() => expect(missing()).toEqual([]), { timeout: patienceMs, interval: 100 });
  },
);
