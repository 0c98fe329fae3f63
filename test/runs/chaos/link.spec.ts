import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Link } from './link.ts';

let received: string[];
let link: Link;
let sockets: Socket[];
let server: ReturnType<typeof createServer>;
beforeEach(async () => {
  received = [];
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received.push(String(bytes));
      socket.write(`answer to ${bytes}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  link = await Link.open([(server.address() as { port: number }).port], 0);
});
afterEach(async () => {
  await link.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function client(): Promise<Socket> {
  const socket = connect(Number(link.address.split(':')[1]), '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** Returns the first answer on a socket, or how the connection ended. */
function answerOn(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(String(bytes)));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
  });
}

describe('a link', () => {
  it('passes requests and answers', async () => {
    const socket = await client();
    socket.write('one');
    expect(await answerOn(socket)).toBe('answer to one');
  });

  it('that swallows lets requests arrive, loses their answers, and resets the connection at the end', async () => {
    const socket = await client();
    socket.write('one');
    await answerOn(socket);
    link.swallow();
    const answer = answerOn(socket);
    socket.write('two');
    await expect.poll(() => link.swallowedBytes).toBe('answer to two'.length);
    link.heal();
    expect(await answer).toBe('ECONNRESET');
    expect(received).toEqual(['one', 'two']);
    const next = await client();
    next.write('three');
    expect(await answerOn(next)).toBe('answer to three');
  });

  it('that is cut resets connections, also new ones, until it heals', async () => {
    const socket = await client();
    const answer = answerOn(socket);
    socket.write('one');
    await answer;
    const end = answerOn(socket);
    link.cut();
    expect(await end).toBe('ECONNRESET');
    const refused = await client().then(answerOn, (error: NodeJS.ErrnoException) => error.code);
    expect(refused).toMatch(/ECONNRESET|closed/);
    link.heal();
    const next = await client();
    next.write('two');
    expect(await answerOn(next)).toBe('answer to two');
  });

  it('that delays passes all bytes in their order, later', async () => {
    link.delay(40);
    const socket = await client();
    const beganMs = performance.now();
    socket.write('one');
    expect(await answerOn(socket)).toBe('answer to one');
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(75);
  });
});
