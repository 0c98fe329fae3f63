import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../packages.ts';
import { type Peer, payloadText } from '../peer.ts';
import { listening, natsServer } from '../programs.ts';
import { startServer } from '../tied-server.ts';

interface Connection {
  close(): Promise<void>;
}
interface Transport {
  connect(options: object): Promise<Connection>;
}
interface Message {
  ack(): void;
}
interface Consumer {
  consume(options: object): Promise<AsyncIterable<Message>>;
}
interface JetStream {
  jetstream(connection: Connection): {
    publish(subject: string, payload: string): Promise<unknown>;
    readonly consumers: { get(stream: string, consumer: string): Promise<Consumer> };
  };
  jetstreamManager(connection: Connection): Promise<{
    readonly streams: { add(config: object): Promise<unknown> };
    readonly consumers: { add(stream: string, config: object): Promise<unknown> };
  }>;
}

const prefetch = 256;
const open = async (address: string): Promise<Connection> =>
  (await load<Transport>('@nats-io/transport-node')).connect({ servers: `127.0.0.1:${address}` });

function nats(sync: 'synced' | 'unsynced'): Peer {
  const isSynced = sync === 'synced';
  return {
    name: `nats-${sync}`,
    isSynced,
    kind: 'queue',
    settlement: 'sent',
    ...(isSynced && { singleTasks: 5_000 }),
    settings: [
      {
        setting: isSynced ? 'sync_interval always' : 'the default sync_interval of 2 minutes',
        source: 'https://docs.nats.io/running-a-nats-service/configuration#jetstream',
      },
      {
        setting: 'a work-queue stream in files',
        source: 'https://docs.nats.io/nats-concepts/jetstream/streams#retentionpolicy',
      },
      {
        setting: `a pull consumer with max_messages ${prefetch}`,
        source: 'https://docs.nats.io/nats-concepts/jetstream/consumers',
      },
    ],
    async start({ folder, freePort }) {
      const port = await freePort();
      const config = join(folder, 'nats.conf');
      const interval = isSynced ? 'sync_interval: always' : '';
      writeFileSync(
        config,
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, 'data')}"\n ${interval} }\n`,
      );
      const program = startServer([natsServer(), '-c', config]);
      await listening(port, program);
      const connection = await open(String(port));
      const manager = await (await load<JetStream>('@nats-io/jetstream')).jetstreamManager(connection);
      return {
        address: String(port),
        async createQueue(queue) {
          await manager.streams.add({
            name: queue,
            subjects: [queue],
            retention: 'workqueue',
            storage: 'file',
          });
          const limits = { ack_policy: 'explicit', max_ack_pending: 1_000 };
          await manager.consumers.add(queue, { durable_name: 'best', ...limits });
        },
        async stop() {
          await connection.close();
          await program.end('SIGKILL');
        },
      };
    },
    async connect(address) {
      const connection = await open(address);
      const stream = (await load<JetStream>('@nats-io/jetstream')).jetstream(connection);
      return {
        submit: (queue) => stream.publish(queue, payloadText),
        submitBatch: (queue, count) =>
          Promise.all(Array.from({ length: count }, () => stream.publish(queue, payloadText))),
        close: () => connection.close(),
      };
    },
    async work(address, queue, events, inFlight = prefetch) {
      const connection = await open(address);
      const stream = (await load<JetStream>('@nats-io/jetstream')).jetstream(connection);
      const consumer = await stream.consumers.get(queue, 'best');
      const messages = await consumer.consume({ max_messages: inFlight });
      void (async () => {
        for await (const message of messages) {
          events.began();
          message.ack();
          events.settled(1);
        }
      })();
      return { close: () => connection.close() };
    },
  };
}

export const natsSynced: Peer = nats('synced');
export const natsUnsynced: Peer = nats('unsynced');
