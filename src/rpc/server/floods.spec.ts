import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import {
  callHeaders,
  flags,
  frameOf,
  frameTypes,
  headerBlock,
  preface,
  settingsFrame,
  uint32,
} from '../../../test/fixtures/http2-frames.ts';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

async function start(): Promise<ListeningNode> {
  const served = await startListeningNode();
  undo.push(() => served[Symbol.asyncDispose]());
  return served;
}

const getTask = '/holdfast.v1.TaskService/GetTask';
const ports = [
  ['gRPC', (served: ListeningNode) => served.listening.grpcPort],
  ['HTTP', (served: ListeningNode) => served.listening.httpPort as number],
] as const;

/** Opens an HTTP/2 connection with a certificate of `alice`, or without one. It is written by hand. */
async function open(served: ListeningNode, port: number, isStranger = false): Promise<TLSSocket> {
  const [ca, cert, key] = Object.values(await served.authority.issue('alice', 'client')).map((file) =>
    readFileSync(file),
  );
  const own = isStranger ? {} : { cert, key };
  const socket = connect({ host: '127.0.0.1', port, ca, ...own, ALPNProtocols: ['h2'] });
  socket.on('error', () => {}).resume();
  undo.push(() => socket.destroy());
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
  socket.write(Buffer.concat([preface, settingsFrame(), frameOf(frameTypes.settings, flags.ack, 0)]));
  return socket;
}

async function ensureServed(served: ListeningNode): Promise<void> {
  const bob = await served.client('bob');
  await bob.submit({ tenant: '', queue: 'q', items: [item('a')] }, { timeoutMs: 5_000 });
}

it.each(ports)(
  'a connection to the %s listener with a flood of frames of no call is closed',
  async (_, portOf) => {
    const served = await start();
    const socket = await open(served, portOf(served));
    const update = frameOf(frameTypes.windowUpdate, 0, 0, uint32(1));
    const flood = Buffer.concat(Array.from({ length: 10_000 }, () => update));
    const timer = setInterval(() => socket.writable && socket.write(flood), 10);
    undo.push(() => clearInterval(timer));
    await expect.poll(() => socket.destroyed, { timeout: 10_000 }).toBe(true);
    await ensureServed(served);
  },
);

it.each([
  ['an identity', false, flags.endStream],
  ['a stranger', true, flags.endStream],
  ['a stranger', true, 0],
] as const)(
  'a connection of %s with a flood of frames of no call is closed although it makes refused calls too (stranger: %s, flag of their data: %s)',
  async (_, isStranger, flag) => {
    const served = await start();
    const socket = await open(served, served.listening.grpcPort, isStranger);
    const update = frameOf(frameTypes.windowUpdate, 0, 0, uint32(1));
    const flood = Buffer.concat(Array.from({ length: 20_000 }, () => update));
    const block = headerBlock(callHeaders(isStranger ? getTask : '/holdfast.v1.TaskService/Unknown'));
    let stream = 1;
    const calls = setInterval(() => {
      for (let i = 0; i < 2; i++, stream += 2) {
        const headers = frameOf(frameTypes.headers, flags.endHeaders, stream, block);
        socket.write(Buffer.concat([headers, frameOf(frameTypes.data, flag, stream, Buffer.alloc(5))]));
      }
    }, 100);
    const timer = setInterval(() => socket.writable && socket.write(flood), 30);
    undo.push(() => {
      for (const one of [calls, timer]) clearInterval(one);
    });
    await expect.poll(() => socket.destroyed, { timeout: 10_000 }).toBe(true);
    await ensureServed(served);
  },
);

it.each(ports)(
  'a connection to the %s listener that opens and resets many streams is closed',
  async (_, portOf) => {
    const served = await start();
    const socket = await open(served, portOf(served));
    const block = headerBlock(callHeaders('/grpc.health.v1.Health/Check'));
    for (let stream = 1; stream < 2_000; stream += 2) {
      socket.write(frameOf(frameTypes.headers, flags.endHeaders, stream, block));
      socket.write(frameOf(frameTypes.reset, 0, stream, uint32(8)));
    }
    await expect.poll(() => socket.destroyed, { timeout: 10_000 }).toBe(true);
    await ensureServed(served);
  },
);

it.each(ports)(
  'a client that floods the %s listener with resets and connects again at once may open one connection a second, and others are not limited',
  async (_, portOf) => {
    const served = await start();
    const block = headerBlock(callHeaders('/grpc.health.v1.Health/Check'));
    const calls = Array.from({ length: 900 }, (__, i) => {
      const stream = 2 * i + 1;
      return [
        frameOf(frameTypes.headers, flags.endHeaders, stream, block),
        frameOf(frameTypes.reset, 0, stream, uint32(8)),
      ];
    });
    const burst = Buffer.concat(calls.flat());
    const isClosed = (socket: TLSSocket): Promise<boolean> =>
      expect
        .poll(() => socket.destroyed, { timeout: 5_000 })
        .toBe(true)
        .then(() => true);
    const flood = async (): Promise<void> => {
      const socket = await open(served, portOf(served));
      socket.write(burst);
      await isClosed(socket);
    };
    await Promise.all(Array.from({ length: 4 }, flood));
    // These connections break no rule.
    const [one, another] = [await open(served, portOf(served)), await open(served, portOf(served))];
    await isClosed(another);
    expect(one.destroyed).toBe(false);
    await ensureServed(served);
    await served.clock.sleep(1_100);
    const later = await open(served, portOf(served));
    await served.clock.sleep(300);
    expect(later.destroyed).toBe(false);
  },
);

it('a connection of HTTP/1.1 with a flood of bytes of no request is closed', async () => {
  const served = await start();
  const port = served.listening.httpPort as number;
  const [ca] = Object.values(await served.authority.issue('alice', 'client')).map((file) =>
    readFileSync(file),
  );
  const socket = connect({ host: '127.0.0.1', port, ca });
  socket.on('error', () => {}).resume();
  undo.push(() => socket.destroy());
  // HTTP/1.1 allows empty lines before a request, so that the parser reads them without an end.
  const flood = Buffer.from('\r\n'.repeat(100_000));
  const timer = setInterval(() => socket.writable && socket.write(flood), 10);
  undo.push(() => clearInterval(timer));
  // Without headers a connection is closed after 10 s.
  await expect.poll(() => socket.destroyed, { timeout: 5_000 }).toBe(true);
  await ensureServed(served);
});

it('a connection that sends a few frames of no call stays open', async () => {
  const served = await start();
  const socket = await open(served, served.listening.grpcPort);
  for (let i = 0; i < 5; i++) {
    socket.write(frameOf(frameTypes.ping, 0, 0, Buffer.alloc(8)));
    await served.clock.sleep(200);
  }
  expect(socket.destroyed).toBe(false);
});
