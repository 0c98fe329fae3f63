/** The fixed batches whose gRPC messages are counted: the SDK and a server on a socket, in one process. */
import type { Client } from '../../src/client/client.ts';
import { createClient } from '../../src/client/create-client.ts';
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createApi } from '../../src/rpc/api/create-api.ts';
import { listen } from '../../src/rpc/server/listen.ts';
import type { Scenario } from './scenarios.ts';
import { queue, type Site } from './site.ts';

const callers = 64;
const bulkItems = 100;
/** A message on a loopback socket arrives within fewer waits for the event loop. */
const turnsOfMessages = 10;
const noop = defineTask('noop', { queue: queue.queue, input: typed<{ text: string }>() });
const input = { text: 'x'.repeat(188) };

interface Sdk {
  readonly client: Client;
  /** Resolves when no task is left, and the messages that are on their way have arrived. */
  allDone(): Promise<void>;
  end(): Promise<void>;
}

async function startSdk({ service, clock }: Site): Promise<Sdk> {
  const api = createApi({ service, clock, log: silentLog, node: 'node-1' });
  const grpc = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const listening = await listen({ api, grpc, auth: {}, clock, log: silentLog });
  const transport = grpcTransport({ address: `127.0.0.1:${listening.grpcPort}`, plaintext: true, clock });
  const client = createClient(transport, { clock });
  return {
    client,
    async allDone() {
      for (;;) {
        const { counts } = await service.queue(queue);
        if (counts !== undefined && counts.ready + counts.running === 0) break;
        await clock.settle();
      }
      for (let i = 0; i < turnsOfMessages; i++) await clock.settle();
    },
    async end() {
      const closed = Promise.all([client.close(), listening.close()]);
      for (let i = 0; i < 10; i++) await clock.advance(1_000);
      await closed;
    },
  };
}

let keys = 0;
const nextKey = (): string => `k${String(keys++).padStart(12, '0')}`;

async function submitAll(client: Client, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, () => client.submit(noop, input, { idempotencyKey: nextKey() })),
  );
}

function submitting(name: string, tasks: number): Scenario {
  return {
    name,
    tasks,
    async prepare(site) {
      const sdk = await startSdk(site);
      return { round: () => submitAll(sdk.client, tasks), end: () => sdk.end() };
    },
  };
}

const both: Scenario = {
  name: 'SDK: submit and process, a worker waits',
  tasks: callers,
  async prepare(site) {
    const sdk = await startSdk(site);
    const handlers = [handle(noop, () => {})];
    const worker = await sdk.client.work(
      defineWorker({ queues: [queue.queue], handlers, concurrency: callers }),
    );
    const round = async (): Promise<void> => {
      await submitAll(sdk.client, callers);
      await sdk.allDone();
    };
    return {
      round,
      async end() {
        const drained = worker.drain();
        for (let i = 0; i < 10; i++) await site.clock.advance(1_000);
        await drained;
        await sdk.end();
      },
    };
  },
};

export const sdkScenarios: readonly Scenario[] = [
  submitting('SDK: submit singly, 64 callers', callers),
  submitting('SDK: submit in bulk', bulkItems),
  both,
];
