/** Tests that a process can end whose client was closed while its connection was being made. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/listening-node.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../ports/clock.ts';
import { handshakeMs } from './connecting.ts';
import { grpcTransport } from './transport.ts';

/**
 * The longest time between the close of a client and the end of its process in these tests. It is far longer than a close
 * takes, so that a busy machine fails no test, and the servers here never let a process end that waits for them.
 */
const patienceMs = 12_000;

interface Silent {
  readonly port: number;
  /** Resolves when a client has begun to connect. */
  dialled(): Promise<unknown>;
}

/** Starts a server that accepts connections and never sends a byte. */
async function acceptsOnly(): Promise<Silent> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.add(socket.resume());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const first = once(server, 'connection');
  return { port: (server.address() as AddressInfo).port, dialled: () => first };
}

/** The program of a thread that listens and then accepts nothing until its buffer is notified. */
const deafProgram = `
const { parentPort, workerData } = require('node:worker_threads');
const server = require('node:net').createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  setImmediate(() => {
    Atomics.wait(new Int32Array(workerData), 0, 0);
    process.exit();
  });
});`;

/** Starts a server whose queue of connections is full, so that the system drops every attempt to connect. */
async function dropsAttempts(): Promise<Silent> {
  const buffer = new SharedArrayBuffer(4);
  const thread = new Worker(deafProgram, { eval: true, workerData: buffer });
  const [port] = (await once(thread, 'message')) as [number];
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    Atomics.store(new Int32Array(buffer), 0, 1);
    Atomics.notify(new Int32Array(buffer), 0);
    await thread.terminate();
  });
  for (;;) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    const late = new Promise((over) => setTimeout(() => over('late'), 300));
    if ((await Promise.race([once(socket, 'connect'), late])) === 'late') break;
  }
  // Nobody notices an attempt that the system drops.
  return { port, dialled: () => new Promise((over) => setTimeout(over, 1_000)) };
}

const source = (path: string): string => JSON.stringify(resolve('src', path));

/** Starts a server as `dropsAttempts`, to which no client has begun to connect when it is closed. */
async function dropsLater(): Promise<Silent> {
  return { ...(await dropsAttempts()), dialled: () => Promise.resolve() };
}

/** Starts a script with a client that `use` uses. The script closes the client at a message. */
async function clientOf({ port, dialled }: Silent, use: string, security: 'tls' | 'plaintext') {
  const authority = await TestAuthority.make();
  onTestFinished(() => authority.remove());
  const tls = await authority.issue('alice', 'client');
  const options = security === 'tls' ? { tls } : { plaintext: true };
  const script = join(authority.dir, 'script.mjs');
  writeFileSync(
    script,
    `import { connect, defineTask, defineWorker, handle, typed } from ${source('index.ts')};
     const client = connect('holdfast://127.0.0.1:${port}', ${JSON.stringify(options)});
     const job = defineTask('job', { input: typed() });
     process.once('message', async () => {
       process.disconnect();
       await client.close();
       console.log('closed');
     });
     process.once('disconnect', () => setTimeout(() => process.exit(3), 60_000).unref());
     ${use}
     console.log('used');`,
  );
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, HOLDFAST_LOG: 'fatal' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  await expect.poll(() => out).toContain('used');
  await dialled();
  return {
    async close(): Promise<readonly [code: unknown, out: string]> {
      const ended = once(child, 'close').then(([code]) => code as unknown);
      child.send('close');
      const late = new Promise((over) => setTimeout(() => over('still running'), patienceMs).unref());
      return [await Promise.race([ended, late]), out];
    },
  };
}

const worker = `await client.work(defineWorker({ handlers: [handle(job, () => {})] }));`;
const call = `client.submit(job, null).catch(() => {});`;

it.each([
  ['a worker', 'accepts the connection and never answers the TLS handshake', acceptsOnly, worker, 'tls'],
  ['a call', 'accepts the connection and never answers the TLS handshake', acceptsOnly, call, 'tls'],
  ['a worker', 'accepts the connection and never sends HTTP/2 settings', acceptsOnly, worker, 'plaintext'],
  ['a call', 'accepts the connection and never sends HTTP/2 settings', acceptsOnly, call, 'plaintext'],
  ['a worker', 'drops every attempt to connect', dropsAttempts, worker, 'tls'],
  ['a call', 'drops every attempt to connect', dropsAttempts, call, 'tls'],
  ['a worker', 'drops an attempt to connect that begins with the close', dropsLater, worker, 'tls'],
] as const)(
  'a process ends after the close of a client with %s, although its server %s (%#)',
  async (_user, _server, start, use, security) => {
    const client = await clientOf(await start(), use, security);
    expect(await client.close()).toEqual([0, 'used\nclosed\n']);
  },
);

it('a call without a timeout fails if its server does not answer the TLS handshake for 20 s', async () => {
  const { port } = await acceptsOnly();
  const authority = await TestAuthority.make();
  onTestFinished(() => authority.remove());
  const system = systemClock();
  const clock: Clock = {
    ...system,
    after: (ms, run) => system.after(ms === handshakeMs ? 200 : ms, run),
  };
  const tls = await authority.issue('alice', 'client');
  const transport = grpcTransport({ address: `127.0.0.1:${port}`, tls, clock });
  onTestFinished(() => transport.close());
  const call = transport.submit({ tenant: '', queue: 'q', items: [] }, {});
  await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'UNREACHABLE' });
});
