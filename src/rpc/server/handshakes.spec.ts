import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import {
  quickClock,
  recordingLog,
  startListeningNode,
  TestAuthority,
} from '../../../test/fixtures/listening-node.ts';
import { limits } from '../../core/limits.ts';
import { Handshakes } from './handshakes.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

/** Opens a TCP connection that never begins its TLS handshake. */
function idleConnection(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress }, () => resolve(socket));
    socket.on('error', reject);
    socket.once('connect', () => socket.off('error', reject).on('error', () => {}));
    // A socket emits 'close' only if its data is read.
    socket.resume();
    undo.push(() => socket.destroy());
  });
}

async function idleConnections(port: number, count: number, localAddress?: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await idleConnection(port, localAddress));
  return sockets;
}

const areOpen = (sockets: readonly Socket[]) => sockets.map((socket) => !socket.closed);

/** Starts a TLS server that allows two unfinished handshakes per address and three in all. */
async function startTlsServer() {
  const authority = await TestAuthority.make();
  undo.push(() => authority.remove());
  const { cert, key } = await authority.issue('server', 'server');
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  const log = recordingLog();
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

describe('connections with an unfinished TLS handshake', () => {
  it('above the limit per address evict only the oldest connection from their own address', async () => {
    const { port, handshakes, finished, lines } = await startTlsServer();
    const other = await idleConnections(port, 1, '127.0.0.2');
    const client = await finished();
    await expect.poll(() => handshakes.count).toBe(1);
    const own = await idleConnections(port, 4);
    await expect.poll(() => areOpen(own)).toEqual([false, false, true, true]);
    expect(areOpen([...other, client])).toEqual([true, true]);
    const late = await finished();
    await expect.poll(() => areOpen(own)).toEqual([false, false, false, true]);
    expect(areOpen([client, late])).toEqual([true, true]);
    expect(lines[0]).toMatchObject({ level: 'warn', listener: 'grpc', connections: 1 });
  });

  it('above the total limit evict the oldest connection from the address that has the most', async () => {
    const { port } = await startTlsServer();
    const first = await idleConnections(port, 2, '127.0.0.2');
    const second = await idleConnections(port, 2, '127.0.0.3');
    await expect.poll(() => areOpen([...first, ...second])).toEqual([false, true, true, true]);
  });

  it('are no longer counted once they are closed', async () => {
    const { port, handshakes } = await startTlsServer();
    for (let i = 0; i < 5; i++) {
      const [socket] = await idleConnections(port, 1);
      await expect.poll(() => handshakes.count).toBe(1);
      socket?.destroy();
      await expect.poll(() => handshakes.count).toBe(0);
    }
  });

  it.each(['grpc', 'http'] as const)('are limited on the %s listener', async (listener) => {
    const served = await startListeningNode();
    undo.push(() => served[Symbol.asyncDispose]());
    const { grpcPort, httpPort = 0 } = served.listening;
    const sockets = await idleConnections(
      listener === 'grpc' ? grpcPort : httpPort,
      limits.handshakesPerAddress + 20,
    );
    await expect.poll(() => areOpen(sockets).indexOf(true)).toBe(20);
    const client = await served.client();
    await client.submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 5_000 });
    const warnings = served.lines.filter(({ level }) => level === 'warn');
    const texts = warnings.map((line) => `${line.listener} ${line.message}`);
    expect([...new Set(texts)]).toEqual([
      `${listener} a connection was closed: too many unfinished TLS handshakes`,
    ]);
    // 20 connections were evicted, with fewer than 20 log lines.
    expect(warnings.length).toBeLessThan(20);
  });
});
