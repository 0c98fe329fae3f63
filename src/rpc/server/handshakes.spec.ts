import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { Authority, keptLog, quickClock, serve } from '../../../test/fixtures/listening.ts';
import { limits } from '../../core/limits.ts';
import { Handshakes } from './handshakes.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

function silent(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress }, () => resolve(socket));
    socket.on('error', reject);
    socket.once('connect', () => socket.off('error', reject).on('error', () => {}));
    // Its end is told only to who reads.
    socket.resume();
    undo.push(() => socket.destroy());
  });
}

async function silents(port: number, count: number, localAddress?: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await silent(port, localAddress));
  return sockets;
}

const open = (sockets: readonly Socket[]) => sockets.map((socket) => !socket.closed);

/** Of two an address and three in all. */
async function given() {
  const authority = await Authority.make();
  undo.push(() => authority.remove());
  const { cert, key } = await authority.issue('server', 'server');
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  const log = keptLog();
  server.on('tlsClientError', () => {});
  const most = { all: 3, perAddress: 2 };
  const handshakes = new Handshakes(server, { listener: 'grpc', clock: quickClock(), log, most });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const finished = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
        resolve(socket),
      );
      socket.on('error', reject);
      socket.resume();
      undo.push(() => socket.destroy());
    });
  return { port, handshakes, finished, lines: log.lines };
}

describe('connections that do not finish their handshake', () => {
  it('push out the oldest of their own address, and no others', async () => {
    const { port, handshakes, finished, lines } = await given();
    const other = await silents(port, 1, '127.0.0.2');
    const client = await finished();
    await expect.poll(() => handshakes.count).toBe(1);
    const own = await silents(port, 4);
    await expect.poll(() => open(own)).toEqual([false, false, true, true]);
    expect(open([...other, client])).toEqual([true, true]);
    const late = await finished();
    await expect.poll(() => open(own)).toEqual([false, false, false, true]);
    expect(open([client, late])).toEqual([true, true]);
    expect(lines[0]).toMatchObject({ level: 'warn', listener: 'grpc', connections: 1 });
  });

  it('of many addresses push out the oldest of all', async () => {
    const { port } = await given();
    const first = await silents(port, 2, '127.0.0.2');
    const second = await silents(port, 2, '127.0.0.3');
    await expect.poll(() => open([...first, ...second])).toEqual([false, true, true, true]);
  });

  it('give their places back when they close', async () => {
    const { port, handshakes } = await given();
    for (let i = 0; i < 5; i++) {
      const [socket] = await silents(port, 1);
      await expect.poll(() => handshakes.count).toBe(1);
      socket?.destroy();
      await expect.poll(() => handshakes.count).toBe(0);
    }
  });

  it.each(['grpc', 'http'] as const)('are bounded on the listener of %s', async (listener) => {
    const served = await serve();
    undo.push(() => served[Symbol.asyncDispose]());
    const { grpcPort, httpPort = 0 } = served.listening;
    const sockets = await silents(
      listener === 'grpc' ? grpcPort : httpPort,
      limits.handshakesPerAddress + 20,
    );
    await expect.poll(() => open(sockets).indexOf(true)).toBe(20);
    const client = await served.client();
    await client.submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 5_000 });
    const told = served.lines.filter(({ level }) => level === 'warn');
    const what = told.map((line) => `${line.listener} ${line.message}`);
    expect([...new Set(what)]).toEqual([`${listener} refused: too many handshakes that do not finish`]);
    // Not a line for each.
    expect(told.length).toBeLessThan(20);
  });
});
