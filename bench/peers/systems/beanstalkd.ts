/** The client speaks beanstalkd's text protocol itself: commands are pipelined, and answers come in their order. */
import { connect, type Socket } from 'node:net';
import { type Peer, payloadText, type WorkEvents } from '../peer.ts';
import { listening, programPath } from '../programs.ts';
import { startServer } from '../tied-server.ts';

const prefetch = 64;

class Connection {
  readonly #socket: Socket;
  readonly #answers: ((line: string) => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (part: Buffer) => this.#read(part));
  }

  call(command: string): Promise<string> {
    this.#socket.write(command);
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(part: Buffer): void {
    this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end === -1) return;
      const line = this.#rest.toString('latin1', 0, end);
      const bodyBytes = line.startsWith('RESERVED') ? Number(line.split(' ')[2]) + 2 : 0;
      if (this.#rest.length < end + 2 + bodyBytes) return;
      this.#rest = this.#rest.subarray(end + 2 + bodyBytes);
      this.#answers.shift()?.(line);
    }
  }
}

const put = `put 0 0 60 ${payloadText.length}\r\n${payloadText}\r\n`;

function beanstalkd(sync: 'synced' | 'unsynced'): Peer {
  const isSynced = sync === 'synced';
  const fsync = isSynced ? ['-f', '0'] : [];
  return {
    name: `beanstalkd-${sync}`,
    isSynced,
    kind: 'queue',
    settlement: 'confirmed',
    settings: [
      {
        setting: isSynced ? '-b with -f 0, a sync for each write' : '-b with the default sync every 50 ms',
        source: 'https://manpages.debian.org/bookworm/beanstalkd/beanstalkd.1.en.html',
      },
      {
        setting: 'commands are pipelined on one connection',
        source: 'https://github.com/beanstalkd/beanstalkd/blob/master/doc/protocol.txt',
      },
    ],
    async start({ folder, freePort }) {
      const port = await freePort();
      const path = programPath('beanstalkd', 'beanstalkd');
      const program = startServer([path, '-l', '127.0.0.1', '-p', String(port), '-b', folder, ...fsync]);
      await listening(port, program);
      return { address: String(port), stop: () => program.end() };
    },
    async connect(address) {
      const connection = new Connection(Number(address));
      let used = '';
      const submit = (queue: string): Promise<string> => {
        if (used !== queue) void connection.call(`use ${queue}\r\n`);
        used = queue;
        return connection.call(put);
      };
      return {
        submit,
        submitBatch: (queue, count) => Promise.all(Array.from({ length: count }, () => submit(queue))),
        close: async () => connection.close(),
      };
    },
    async work(address, queue, events, inFlight = prefetch) {
      const connection = new Connection(Number(address));
      await connection.call(`watch ${queue}\r\n`);
      let closed = false;
      void (async () => {
        while (!closed) await reserveAll(connection, inFlight, events);
      })();
      return {
        async close() {
          closed = true;
          connection.close();
        },
      };
    },
  };
}

/**
 * Reserves up to `most` jobs and deletes them. A `reserve` that waits holds up all commands behind it on its connection, so that only
 * a connection without jobs waits.
 */
async function reserveAll(connection: Connection, most: number, events: WorkEvents): Promise<void> {
  const settle = async (answer: Promise<string>): Promise<boolean> => {
    const [word, id] = (await answer).split(' ');
    if (word !== 'RESERVED') return false;
    events.began();
    await connection.call(`delete ${id}\r\n`);
    events.settled(1);
    return true;
  };
  const tries = Array.from({ length: most }, () => settle(connection.call('reserve-with-timeout 0\r\n')));
  const found = await Promise.all(tries);
  if (!found.includes(true)) await settle(connection.call('reserve\r\n'));
}

export const beanstalkdSynced: Peer = beanstalkd('synced');
export const beanstalkdUnsynced: Peer = beanstalkd('unsynced');
