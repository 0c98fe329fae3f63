import { load } from '../packages.ts';
import { type Peer, payload } from '../peer.ts';
import { startPostgres } from './postgres-server.ts';

interface Job {
  readonly id: string;
}
interface Boss {
  on(event: 'error', listener: () => void): void;
  start(): Promise<unknown>;
  stop(options: object): Promise<unknown>;
  createQueue(name: string): Promise<unknown>;
  send(name: string, data: unknown): Promise<unknown>;
  insert(name: string, jobs: readonly object[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<readonly Job[]>;
  complete(name: string, ids: readonly string[]): Promise<unknown>;
}
interface PgBossModule {
  readonly PgBoss: new (options: object) => Boss;
}

const connections = 64;
const loops = 2;
const batch = 64;

async function openBoss(connectionString: string, max: number): Promise<Boss> {
  const { PgBoss } = await load<PgBossModule>('pg-boss');
  const boss = new PgBoss({ connectionString, max, supervise: false, schedule: false });
  boss.on('error', () => {});
  await boss.start();
  return boss;
}

export const pgBoss: Peer = {
  name: 'pg-boss',
  isSynced: true,
  kind: 'queue',
  settlement: 'confirmed',
  singleTasks: 2_000,
  settings: [
    { setting: `${connections} connections of the submitter`, source: 'one for each caller' },
    {
      setting: `${loops} loops of fetch and complete with ${batch} jobs each, without a pause while there are any`,
      source: 'https://timgit.github.io/pg-boss/#/./api/jobs (fetch and complete take batches)',
    },
  ],
  async start(place) {
    const server = await startPostgres(place);
    const boss = await openBoss(server.address, 2);
    return {
      address: server.address,
      async createQueue(queue) {
        await boss.createQueue(queue);
      },
      async stop() {
        await boss.stop({ graceful: false });
        await server.stop();
      },
    };
  },
  async connect(address) {
    const boss = await openBoss(address, connections);
    return {
      submit: (queue) => boss.send(queue, payload),
      submitBatch: (queue, count) =>
        boss.insert(
          queue,
          Array.from({ length: count }, () => ({ data: payload })),
        ),
      close: async () => void (await boss.stop({ graceful: false })),
    };
  },
  async work(address, queue, events, inFlight) {
    const boss = await openBoss(address, 4);
    const [loopCount, batchSize] = inFlight === undefined ? [loops, batch] : [1, inFlight];
    let closed = false;
    const loop = async (): Promise<void> => {
      while (!closed) {
        const jobs = await boss.fetch(queue, { batchSize });
        if (jobs.length === 0) continue;
        events.began();
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
        );
        events.settled(jobs.length);
      }
    };
    for (let i = 0; i < loopCount; i++) loop().catch(() => {});
    return {
      async close() {
        closed = true;
        await boss.stop({ graceful: false });
      },
    };
  },
};
