import { load } from '../packages.ts';
import { type Peer, payload, strictInFlight } from '../peer.ts';
import { startRedis } from './redis-server.ts';

interface Closable {
  close(): Promise<void>;
}
interface Queue extends Closable {
  add(name: string, data: unknown, options: object): Promise<unknown>;
  addBulk(jobs: readonly object[]): Promise<unknown>;
}
interface Worker extends Closable {
  on(event: string, listener: () => void): void;
  waitUntilReady(): Promise<unknown>;
}
interface Bullmq {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (name: string, handler: () => Promise<void>, options: object) => Worker;
}

const source = 'https://docs.bullmq.io/guide/going-to-production';
const connectionOf = (address: string) => ({
  host: '127.0.0.1',
  port: Number(address),
  maxRetriesPerRequest: null,
});
const jobOptions = { removeOnComplete: true, removeOnFail: true };
const concurrency = strictInFlight;

function bullmq(fsync: 'always' | 'everysec'): Peer {
  return {
    name: `bullmq-${fsync}`,
    isSynced: fsync === 'always',
    kind: 'queue',
    settlement: 'confirmed',
    settings: [
      { setting: `appendonly yes, appendfsync ${fsync}`, source },
      { setting: 'maxmemory-policy noeviction, maxRetriesPerRequest null', source },
      { setting: 'removeOnComplete', source: 'https://docs.bullmq.io/guide/queues/auto-removal-of-jobs' },
      { setting: `concurrency ${concurrency}`, source: 'https://docs.bullmq.io/guide/workers/concurrency' },
    ],
    start: (server) => startRedis(server, fsync),
    async connect(address) {
      const { Queue } = await load<Bullmq>('bullmq');
      const queues = new Map<string, Queue>();
      const of = (name: string): Queue => {
        const known = queues.get(name) ?? new Queue(name, { connection: connectionOf(address) });
        queues.set(name, known);
        return known;
      };
      return {
        submit: (queue) => of(queue).add('noop', payload, jobOptions),
        submitBatch: (queue, count) =>
          of(queue).addBulk(
            Array.from({ length: count }, () => ({ name: 'noop', data: payload, opts: jobOptions })),
          ),
        async close() {
          await Promise.all([...queues.values()].map((queue) => queue.close()));
        },
      };
    },
    async work(address, queue, events, inFlight = concurrency) {
      const { Worker } = await load<Bullmq>('bullmq');
      const options = { connection: connectionOf(address), concurrency: inFlight, ...jobOptions };
      const worker = new Worker(queue, async () => events.began(), options);
      worker.on('completed', () => events.settled(1));
      await worker.waitUntilReady();
      return worker;
    },
  };
}

export const bullmqAlways: Peer = bullmq('always');
export const bullmqEverysec: Peer = bullmq('everysec');
