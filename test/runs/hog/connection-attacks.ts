/** Attacks with connections, and with requests that do not end. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { frame } from '../../fixtures/raw-grpc.ts';
import type { Attack } from './attack.ts';
import { Http2Wire } from './http2-wire.ts';
import { paths } from './messages.ts';
import type { PortName, Target } from './target.ts';

/** The most connections that one attack opens. */
const mostConnections = 7_000;
const ports: readonly PortName[] = ['grpc', 'http'];

/** Counts a connection until it closes. */
export function hold({ tally }: Target, one: { onClose(run: () => void): void }): void {
  one.onClose(tally.hold());
}

function closing(socket: Socket): { onClose(run: () => void): void } {
  return { onClose: (run) => void socket.once('close', run) };
}

/** The first bytes of a TLS ClientHello, which say that more will follow. */
const helloBegin = Buffer.from('1603010200010001fc0303', 'hex');

async function keepConnections(target: Target, loops: number): Promise<void> {
  let open = 0;
  await target.atOnce(loops, async (index) => {
    if (open >= mostConnections) return void (await sleep(50));
    const port = ports[index % 2] as PortName;
    if (port === 'grpc') {
      const wire = await Http2Wire.open(target);
      if (wire === undefined) return;
      open++;
      hold(target, wire);
      wire.onClose(() => open--);
      return;
    }
    const socket = await target.tls('http');
    if (socket === undefined) return;
    open++;
    socket.resume();
    hold(target, closing(socket));
    socket.once('close', () => open--);
  });
}

export const connectionAttacks: readonly Attack[] = [
  {
    name: 'connections',
    counts: 'connections',
    // Beyond the share of its address a stranger's connection closes the oldest one, which so is never held for long.
    asStranger: { measure: 'sent', atLeast: 200 },
    asIdentity: { verb: 'read', measure: 'held', atLeast: 64 },
    run: (target) => keepConnections(target, 32),
  },
  {
    name: 'half-handshakes',
    counts: 'handshakes',
    asStranger: { measure: 'sent', atLeast: 4_000 },
    asIdentity: undefined,
    async run(target) {
      let open = 0;
      let opened = 0;
      await target.repeat(() => {
        for (let i = 0; i < 100 && open < mostConnections; i++) {
          const socket = target.tcp(ports[i % 2] as PortName, opened++);
          socket.once('connect', () => {
            socket.write(helloBegin);
            hold(target, closing(socket));
          });
          open++;
          socket.once('close', () => open--);
        }
      }, 20);
    },
  },
  {
    name: 'slow-headers',
    counts: 'requests',
    asStranger: { measure: 'sent', atLeast: 100 },
    asIdentity: { verb: 'read', measure: 'held', atLeast: 16 },
    async run(target) {
      await target.atOnce(400, async (index) => {
        if (index % 2 === 0) {
          const wire = await Http2Wire.open(target);
          if (wire === undefined) return void (await sleep(100));
          wire.call(paths.health, [], false);
          hold(target, wire);
          await new Promise<void>((resolve) => wire.onClose(resolve));
          return;
        }
        const socket = await target.tls('http');
        if (socket === undefined) return void (await sleep(100));
        hold(target, closing(socket));
        socket.resume();
        socket.write('POST /healthz HTTP/1.1\r\nhost: x\r\n');
        for (let i = 0; socket.writable; i++) {
          await sleep(1_000);
          socket.write(`x-${i}: ${'y'.repeat(100)}\r\n`);
        }
      });
    },
  },
  {
    name: 'slow-bodies',
    counts: 'requests',
    asStranger: { measure: 'sent', atLeast: 200 },
    asIdentity: { verb: 'submit', measure: 'held', atLeast: 64 },
    async run(target) {
      const grpc = Array.from({ length: 4 }, async () => {
        const raw = await target.session();
        await target.atOnce(250, async () => {
          const { stream, status } = raw.call(paths.submitTask);
          const gone = target.tally.hold();
          stream.write(frame(Buffer.alloc(10), 1_000_000));
          const timer = setInterval(() => stream.writable && stream.write(Buffer.alloc(1)), 1_000);
          await status;
          clearInterval(timer);
          gone();
          await sleep(200);
        });
      });
      const http = target.atOnce(200, async () => {
        const socket = await target.tls('http');
        if (socket === undefined) return void (await sleep(100));
        socket.resume();
        hold(target, closing(socket));
        const head = `POST ${paths.submitTask} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
        socket.write(`${head}content-length: 1000000\r\n\r\n{`);
        while (socket.writable) {
          await sleep(1_000);
          socket.write(' ');
        }
      });
      await Promise.all([...grpc, http]);
    },
  },
];
