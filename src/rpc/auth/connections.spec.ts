import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import { rawSession } from '../../../test/fixtures/raw-grpc.ts';
import { limits, timing } from '../../core/limits.ts';

const most = {
  ...limits,
  connections: 10,
  connectionsPerIdentity: 4,
  connectionReserve: 3,
  connectionsOfReserve: 1,
  strangers: 4,
  strangersPerAddress: 2,
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

async function start(): Promise<ListeningNode> {
  const served = await startListeningNode({ bounds: { connections: most } });
  undo.push(() => served[Symbol.asyncDispose]());
  return served;
}

/** Opens TLS connections that use HTTP/2, with a certificate of this name or without one. */
async function open(
  served: ListeningNode,
  which: 'grpc' | 'http',
  count: number,
  name?: string,
  localAddress = '127.0.0.1',
): Promise<TLSSocket[]> {
  const { grpcPort, httpPort = 0 } = served.listening;
  const { ca, cert, key } = await served.authority.issue(name ?? 'nobody', 'client');
  const pem = (file: string) => readFileSync(file);
  const mine = name === undefined ? undefined : { cert: pem(cert), key: pem(key) };
  const port = which === 'grpc' ? grpcPort : httpPort;
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < count; i++) {
    // Node's types do not know that TLS sockets take the local address too.
    const options = { host: '127.0.0.1', port, localAddress, ca: pem(ca), ...mine, ALPNProtocols: ['h2'] };
    const socket = connect(options);
    undo.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'secureConnect');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0');
    sockets.push(socket);
  }
  return sockets;
}

const areOpen = (sockets: readonly TLSSocket[]) => sockets.map((socket) => !socket.closed);
const openCount = (sockets: readonly TLSSocket[]) => areOpen(sockets).filter((one) => one).length;

describe.each(['grpc', 'http'] as const)('the connections to the %s listener', (which) => {
  it('are limited for one identity, which leaves the others to other identities', async () => {
    const served = await start();
    const own = await open(served, which, 6, 'alice');
    await expect.poll(() => areOpen(own), { timeout: 5_000 }).toEqual([true, true, true, true, false, false]);
    const other = await open(served, which, 1, 'bob');
    own[0]?.destroy();
    await expect.poll(() => served.listening.connections).toBe(4);
    const next = await open(served, which, 1, 'alice');
    await served.clock.sleep(timing.surplusMs + 300);
    expect(areOpen([...other, ...next])).toEqual([true, true]);
    expect(served.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        listener: which,
        message: expect.stringContaining(
          "client/alice' has 4 connections to this listener, which is its limit.",
        ),
      }),
    );
  });

  it('keep a reserve that several identities cannot use up', async () => {
    const served = await start();
    const many = [...(await open(served, which, 4, 'a')), ...(await open(served, which, 4, 'b'))];
    await expect.poll(() => openCount(many), { timeout: 5_000 }).toBe(7);
    const others = [...(await open(served, which, 1, 'c')), ...(await open(served, which, 1, 'd'))];
    await served.clock.sleep(timing.surplusMs + 300);
    expect(areOpen(others)).toEqual([true, true]);
  });

  it('of clients without a certificate close their own oldest ones, first those of the same address', async () => {
    const served = await start();
    const first = await open(served, which, 1, undefined, '127.0.0.2');
    const own = await open(served, which, 4);
    await expect.poll(() => areOpen(own)).toEqual([false, false, true, true]);
    expect(areOpen(first)).toEqual([true]);
    const more = await open(served, which, 2, undefined, '127.0.0.3');
    await expect
      .poll(() => areOpen([...first, ...own.slice(2), ...more]))
      .toEqual([false, true, true, true, true]);
  });
});

it('a call on a connection beyond the limit of its identity is answered with the reason', async () => {
  const served = await start();
  await open(served, 'grpc', 4, 'alice');
  const raw = await rawSession(served.address, await served.authority.issue('alice', 'client'));
  undo.push(() => raw.session.destroy());
  expect(await raw.call('/holdfast.v1.TaskService/SubmitTask').status).toMatchObject({
    code: 8,
    reason: 'TOO_MANY_CONNECTIONS',
  });
  const bob = await served.client('bob');
  await bob.submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 5_000 });
});
