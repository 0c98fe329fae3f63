import { load } from '../packages.ts';
import { type Peer, payloadText, strictInFlight } from '../peer.ts';
import { startRedis } from './redis-server.ts';

type Entries = readonly (readonly [
  stream: string,
  entries: readonly (readonly [id: string, fields: unknown])[],
])[];
interface Redis {
  xadd(...parts: string[]): Promise<unknown>;
  xgroup(...parts: string[]): Promise<unknown>;
  xreadgroup(...parts: (string | number)[]): Promise<Entries | null>;
  xack(stream: string, group: string, ...ids: string[]): Promise<number>;
  disconnect(): void;
}
interface Ioredis {
  readonly Redis: new (options: object) => Redis;
}

const prefetch = 256;
const open = async (address: string): Promise<Redis> =>
  new (await load<Ioredis>('ioredis')).Redis({ port: Number(address), enableAutoPipelining: true });

export const redisStreams: Peer = {
  name: 'redis-streams',
  isSynced: true,
  kind: 'log',
  settlement: 'confirmed',
  settings: [
    {
      setting: 'appendfsync always',
      source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/',
    },
    { setting: 'enableAutoPipelining', source: 'https://github.com/redis/ioredis#autopipelining' },
  ],
  start: (server) => startRedis(server, 'always'),
  async connect(address) {
    const redis = await open(address);
    const add = (queue: string): Promise<unknown> => redis.xadd(queue, '*', 'd', payloadText);
    return {
      submit: add,
      submitBatch: (queue, count) => Promise.all(Array.from({ length: count }, () => add(queue))),
      close: async () => redis.disconnect(),
    };
  },
  async work(address, queue, events, inFlight) {
    const [reader, acknowledger] = [await open(address), await open(address)];
    await reader.xgroup('CREATE', queue, 'g', '0', 'MKSTREAM').catch(() => {});
    const most = inFlight ?? prefetch;
    let closed = false;
    const run = async (): Promise<void> => {
      while (!closed) {
        const read = await reader.xreadgroup(
          'GROUP',
          'g',
          'c',
          'COUNT',
          most,
          'BLOCK',
          1_000,
          'STREAMS',
          queue,
          '>',
        );
        const ids = read?.[0]?.[1].map(([id]) => id) ?? [];
        if (ids.length === 0) continue;
        events.began();
        const acknowledged = acknowledger.xack(queue, 'g', ...ids).then((count) => events.settled(count));
        // Strictly in flight: the next ones are read when these are settled.
        if (most <= strictInFlight) await acknowledged;
      }
    };
    run().catch(() => {});
    return {
      async close() {
        closed = true;
        reader.disconnect();
        acknowledger.disconnect();
      },
    };
  },
};
