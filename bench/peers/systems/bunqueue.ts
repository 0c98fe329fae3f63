import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from '../packages.ts';
import { type Peer, payload, strictInFlight } from '../peer.ts';
import { listening } from '../programs.ts';
import { startServer } from '../tied-server.ts';

interface Queue {
  add(name: string, data: unknown, options: object): Promise<unknown>;
  addBulk(jobs: readonly object[]): Promise<unknown>;
  close(): unknown;
}
interface Worker {
  on(event: string, listener: () => void): void;
  close(): Promise<void>;
}
interface Bunqueue {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (name: string, handler: () => Promise<void>, options: object) => Worker;
}

const root = join(cache, 'node_modules/bunqueue/dist');
const bun = join(cache, 'node_modules/bun/bin/bun.exe');
// The package has no entry for Node: this file is loaded by Bun.
const loadClient = async (): Promise<Bunqueue> => (await import(join(root, 'client/index.js'))) as Bunqueue;
const connectionOf = (address: string) => ({ host: '127.0.0.1', port: Number(address) });
const jobOptions = { durable: true, removeOnComplete: true };
const batchSize = 100;
/** A pull waits this long for a job. Without it an idle worker polls every 50 ms. */
const pollTimeoutMs = 5_000;

export const bunqueue: Peer = {
  name: 'bunqueue',
  // Its SQLite runs with synchronous = NORMAL, which does not sync a commit; `durable` only skips the buffer in memory.
  isSynced: false,
  kind: 'queue',
  settlement: 'confirmed',
  singleTasks: 5_000,
  settings: [
    { setting: 'durable: true for each job', source: 'https://bunqueue.dev/guide/queue/ (durable)' },
    {
      setting: `batchSize ${batchSize}, concurrency ${strictInFlight}`,
      source: 'https://bunqueue.dev/guide/worker/',
    },
  ],
  async start({ folder, freePort }) {
    if (!existsSync(bun)) throw new Error(`bun not found; to install: npm install bun in ${cache}`);
    const [port, httpPort] = [await freePort(), await freePort()];
    const program = startServer([
      ...[bun, join(root, 'cli/index.js'), 'start', '--host', '127.0.0.1'],
      ...[
        '--tcp-port',
        String(port),
        '--http-port',
        String(httpPort),
        '--data-path',
        join(folder, 'queue.db'),
      ],
    ]);
    await listening(port, program);
    return { address: String(port), stop: () => program.end('SIGKILL') };
  },
  async connect(address) {
    const { Queue } = await loadClient();
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
        for (const queue of queues.values()) queue.close();
      },
    };
  },
  async work(address, queue, events, inFlight = strictInFlight) {
    const { Worker } = await loadClient();
    const options = {
      connection: connectionOf(address),
      concurrency: inFlight,
      batchSize: Math.min(batchSize, inFlight),
      pollTimeout: pollTimeoutMs,
    };
    const worker = new Worker(queue, async () => events.began(), options);
    worker.on('completed', () => events.settled(1));
    return worker;
  },
};
