import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../packages.ts';
import { type Peer, payloadText } from '../peer.ts';
import { listening, programPath } from '../programs.ts';
import { startServer } from '../tied-server.ts';

interface Channel {
  assertQueue(name: string, options: object): Promise<unknown>;
  prefetch(count: number): Promise<unknown>;
  consume(queue: string, handler: (message: unknown) => void): Promise<unknown>;
  ack(message: unknown): void;
  publish(
    exchange: string,
    key: string,
    content: Buffer,
    options: object,
    done: (error: unknown) => void,
  ): boolean;
}
interface Connection {
  createChannel(): Promise<Channel>;
  createConfirmChannel(): Promise<Channel>;
  close(): Promise<void>;
}
interface Amqplib {
  readonly default: { connect(url: string, options: object): Promise<Connection> };
}

const prefetch = 256;
const queueOptions = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
const content = Buffer.from(payloadText);
const open = async (address: string): Promise<Connection> =>
  (await load<Amqplib>('amqplib')).default.connect(`amqp://127.0.0.1:${address}`, { noDelay: true });

export const rabbitmq: Peer = {
  name: 'rabbitmq-quorum',
  isSynced: true,
  kind: 'queue',
  settlement: 'sent',
  settings: [
    { setting: 'a quorum queue on one node', source: 'https://www.rabbitmq.com/docs/quorum-queues' },
    {
      setting: 'persistent messages and publisher confirms',
      source: 'https://www.rabbitmq.com/docs/confirms',
    },
    {
      setting: `prefetch ${prefetch}`,
      source: 'https://www.rabbitmq.com/docs/confirms#channel-qos-prefetch',
    },
  ],
  async start({ folder, freePort }) {
    const [port, distPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
    const config = join(folder, 'rabbitmq.conf');
    writeFileSync(config, `listeners.tcp.default = 127.0.0.1:${port}\n`);
    const home = join(folder, 'home');
    mkdirSync(home);
    const path = programPath('rabbitmq-server', 'rabbitmq-server');
    // RabbitMQ would start an epmd that goes on after it. This one, like RabbitMQ without the shell around it, is tied to this process.
    const epmd = startServer([
      programPath('epmd', 'erlang-base'),
      '-port',
      String(epmdPort),
      '-address',
      '127.0.0.1',
    ]);
    await listening(epmdPort, epmd);
    const program = startServer([path.replace('/usr/sbin/', '/usr/lib/rabbitmq/bin/')], {
      ...{ HOME: home, RABBITMQ_NODENAME: `bench${port}@localhost`, RABBITMQ_DIST_PORT: String(distPort) },
      ...{ RABBITMQ_CONFIG_FILE: config, RABBITMQ_MNESIA_BASE: join(folder, 'mnesia') },
      ...{ RABBITMQ_LOG_BASE: join(folder, 'log'), RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins') },
      ...{ RABBITMQ_CONF_ENV_FILE: join(folder, 'none'), ERL_EPMD_ADDRESS: '127.0.0.1' },
      ...{ ERL_EPMD_PORT: String(epmdPort), RUNNING_UNDER_SYSTEMD: 'true' },
    });
    await listening(port, program);
    const connection = await open(String(port));
    const channel = await connection.createChannel();
    return {
      address: String(port),
      async createQueue(queue) {
        await channel.assertQueue(queue, queueOptions);
      },
      async stop() {
        await connection.close().catch(() => {});
        await program.end('SIGKILL');
        await epmd.end('SIGKILL');
      },
    };
  },
  async connect(address) {
    const connection = await open(address);
    const channel = await connection.createConfirmChannel();
    const submit = (queue: string): Promise<void> =>
      new Promise((resolve, reject) => {
        channel.publish('', queue, content, { persistent: true }, (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        );
      });
    return {
      submit,
      submitBatch: (queue, count) => Promise.all(Array.from({ length: count }, () => submit(queue))),
      close: () => connection.close(),
    };
  },
  async work(address, queue, events, inFlight = prefetch) {
    const connection = await open(address);
    const channel = await connection.createChannel();
    await channel.prefetch(inFlight);
    await channel.consume(queue, (message) => {
      events.began();
      channel.ack(message);
      events.settled(1);
    });
    return { close: () => connection.close() };
  },
};
