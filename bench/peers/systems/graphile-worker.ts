import { load } from '../packages.ts';
import { type Peer, payload } from '../peer.ts';
import { openPool, startPostgres } from './postgres-server.ts';

interface WorkerUtils {
  migrate(): Promise<void>;
  addJob(task: string, payload: unknown, options: object): Promise<unknown>;
  addJobs(jobs: readonly object[]): Promise<unknown>;
  release(): Promise<void>;
}
interface Runner {
  stop(): Promise<void>;
  readonly events: { on(event: string, listener: (data: never) => void): void };
}
interface Graphile {
  makeWorkerUtils(options: object): Promise<WorkerUtils>;
  run(options: object): Promise<Runner>;
  readonly Logger: new (factory: () => () => void) => object;
}

const connections = 64;
const localQueueSize = 256;
const documented = 'https://worker.graphile.org/docs/performance';
const graphileOf = (): Promise<Graphile> => load<Graphile>('graphile-worker');
const silent = ({ Logger }: Graphile): object => new Logger(() => () => {});

export const graphile: Peer = {
  name: 'graphile-worker',
  isSynced: true,
  kind: 'queue',
  settlement: 'confirmed',
  singleTasks: 2_000,
  settings: [
    { setting: `${connections} connections of the submitter`, source: 'one for each caller' },
    { setting: `localQueue.size ${localQueueSize}`, source: `${documented}#batching` },
    { setting: 'completeJobBatchDelay 0, failJobBatchDelay 0', source: `${documented}#batching` },
  ],
  async start(place) {
    const server = await startPostgres(place);
    const graphile = await graphileOf();
    const utils = await graphile.makeWorkerUtils({
      connectionString: server.address,
      logger: silent(graphile),
    });
    await utils.migrate();
    await utils.release();
    return server;
  },
  async connect(address) {
    const graphile = await graphileOf();
    const pgPool = await openPool(address, connections);
    const utils = await graphile.makeWorkerUtils({ pgPool, logger: silent(graphile) });
    return {
      submit: (queue) => utils.addJob(queue, payload, {}),
      submitBatch: (queue, count) =>
        utils.addJobs(Array.from({ length: count }, () => ({ identifier: queue, payload }))),
      async close() {
        await utils.release();
        await pgPool.end();
      },
    };
  },
  async work(address, queue, events, inFlight) {
    const graphile = await graphileOf();
    const concurrentJobs = inFlight ?? 64;
    const size = inFlight ?? localQueueSize;
    const runner = await graphile.run({
      ...{ connectionString: address, noHandleSignals: true, logger: silent(graphile) },
      taskList: { [queue]: async () => events.began() },
      preset: {
        worker: {
          ...{ concurrentJobs, maxPoolSize: 20, pollInterval: 1_000 },
          ...{ localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
        },
      },
    });
    // The event comes after the statement that completes the job.
    runner.events.on('job:complete', () => events.settled(1));
    return { close: () => runner.stop() };
  },
};
