/** Tests that short tasks do not wait in the buffer of a worker whose slots are taken, while another one has free slots. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { createClient } from '../../src/client/create-client.ts';
import { type Client, connect, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { openWorkerNode, serve } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';

const queues = ['over-grpc', 'pollers'] as const;
type Queue = (typeof queues)[number];

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let store: AwsStore;
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: 'buffers', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: [...queues], priorities: ['normal'], check: false });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

/** Returns a function that opens a client of one server over gRPC. */
async function overGrpc(): Promise<() => Promise<Client>> {
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const server = await serve({ store, clock: systemClock(), log: silentLog, grpc: free });
  onTestFinished(() => server.close(0));
  return async () => {
    const client = connect(`holdfast+plaintext://127.0.0.1:${server.listening.grpcPort}`);
    onTestFinished(() => client.close());
    return client;
  };
}

/** Opens a client with a node of its own, as a worker that polls SQS itself has it. */
async function polling(queue: Queue): Promise<Client> {
  const choice = { clock: systemClock(), log: silentLog, queues: [{ tenant: 'default', queue }] };
  const { node, clock } = await openWorkerNode(store, choice);
  const client = createClient(inProcess({ api: node.api, clock }), { clock, beginsAtOnce: true });
  onTestFinished(async () => {
    await client.close();
    await node.close(0);
  });
  return client;
}

function jobOn(queue: Queue) {
  return defineTask('job', { input: typed<{ kind: string }>(), output: typed<number>(), queue });
}

test.each(queues)(
  'short tasks begin on a free worker while the slots of another one are taken, %s',
  {
    timeout: 60_000,
  },
  async (queue) => {
    const open = queue === 'pollers' ? () => polling(queue) : await overGrpc();
    const job = jobOn(queue);
    const [submitter, first, second] = [await open(), await open(), await open()];
    const gate = Promise.withResolvers<void>();
    const begun: Record<string, number> = {};
    const work = async (client: Client, concurrency: number) => {
      const handlers = [
        handle(job, async ({ kind }) => {
          begun[kind] = (begun[kind] ?? 0) + 1;
          if (kind === 'long') await gate.promise;
          return 0;
        }),
      ];
      const worker = await client.work(defineWorker({ handlers, concurrency }));
      onTestFinished(async () => {
        gate.resolve();
        await worker.drain();
      });
    };
    const submit = async (kind: string, count: number) => {
      const items = Array.from({ length: count }, () => ({ input: { kind } }));
      const outcomes = await submitter.submitMany(job, items);
      return outcomes.map((one) => (one.ok ? one.task : expect.fail(one.error.message)));
    };
    // The first worker learns that it begins many tasks in a second, and then has two for both of its slots.
    await submit('learn', 300);
    await submit('long', 2);
    const tasks = await submit('short', 100);
    await work(first, 2);
    await expect.poll(() => begun.long, { timeout: 30_000 }).toBe(2);
    await work(second, 8);
    await Promise.all(tasks.map((task) => task.result()));
    expect(begun).toEqual({ learn: 300, long: 2, short: 100 });
    for (const { id } of tasks) expect((await submitter.task(id).status()).attempt).toBe(1);
  },
);
