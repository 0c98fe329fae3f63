import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { type Client, connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { serve } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';

const queue = 'mail';
const slow = defineTask('slow', { input: typed<{ n: number }>(), output: typed<number>(), queue });
const quick = defineTask('quick', { input: typed<{ n: number }>(), output: typed<number>(), queue });

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let store: AwsStore;
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: 'limits', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: [queue], priorities: ['normal'], check: false });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

async function served(): Promise<Client> {
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const server = await serve({ store, clock: systemClock(), log: silentLog, grpc: free });
  const client = connect(`holdfast+plaintext://127.0.0.1:${server.listening.grpcPort}`);
  onTestFinished(async () => {
    await client.close();
    await server.close(0);
  });
  return client;
}

async function submitAll(client: Client, task: typeof slow | typeof quick, count: number) {
  const items = Array.from({ length: count }, (_, n) => ({ input: { n } }));
  const outcomes = await client.submitMany(task as typeof slow, items);
  return outcomes.map((one) => (one.ok ? one.task : expect.fail(one.error.message)));
}

async function versionsOf(client: Client, tasks: readonly { readonly id: string }[]): Promise<number[]> {
  return Promise.all(tasks.map(async ({ id }) => (await client.task(id).status()).version));
}

// A worker that claimed and gave back what it passes over would need minutes, and the tasks would have more events.
test.each([
  [2, 5, 1],
  [16, 1_000, 10],
])(
  'a worker of %i slots gets behind %i messages of a full type without claiming their tasks',
  {
    timeout: 60_000,
  },
  async (concurrency, slowCount, quickCount) => {
    const client = await served();
    const slowTasks = await submitAll(client, slow, slowCount);
    const quickTasks = await submitAll(client, quick, quickCount);
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    const handlers = [
      handle(
        slow,
        async () => {
          begun++;
          await gate.promise;
          return 0;
        },
        { concurrency: 1 },
      ),
      handle(quick, async () => 0),
    ];
    const worker = await client.work(defineWorker({ handlers, concurrency }));
    await Promise.all(quickTasks.map((task) => task.result()));
    expect(begun).toBe(1);
    const versions = await versionsOf(client, slowTasks);
    expect(versions.toSorted((one, other) => other - one)).toEqual([2, ...Array(slowCount - 1).fill(1)]);
    // Tasks that were passed over begin once their type has room again.
    gate.resolve();
    await expect.poll(() => begun, { timeout: 20_000 }).toBeGreaterThanOrEqual(5);
    await worker.drain();
  },
);
