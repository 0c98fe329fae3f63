import { connect as connectSocket, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { recordingLog } from '../../../test/fixtures/listening-node.ts';
import { type MetricsListener, openMetricsListener } from './metrics-listener.ts';

const log = recordingLog();
const open: MetricsListener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
});

async function listening(
  read: () => Promise<string> = async () => 'up 1\n',
  host = '127.0.0.1',
): Promise<string> {
  const listener = await openMetricsListener({
    host,
    port: 0,
    contentType: 'text/plain',
    read,
    clock: { monotonic: () => 0 },
    log,
  });
  open.push(listener);
  return `http://127.0.0.1:${listener.port}`;
}

describe('the listener of metrics', () => {
  it('answers GET and HEAD of /metrics, also with a query', async () => {
    const at = await listening();
    const got = await fetch(`${at}/metrics?name=x`);
    expect([got.status, got.headers.get('content-type'), await got.text()]).toEqual([
      200,
      'text/plain',
      'up 1\n',
    ]);
    const head = await fetch(`${at}/metrics`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '5', '']);
  });

  it.each([
    ['another path', '/', {}, 404, 'The metrics are at /metrics.'],
    ['another method', '/metrics', { method: 'DELETE' }, 405, 'Only GET reads the metrics.'],
    ['a body', '/metrics', { method: 'POST', body: 'x' }, 405, 'Only GET'],
    ['a web page', '/metrics', { headers: { origin: 'http://evil.example' } }, 403, 'web pages are refused'],
  ])('answers %s with what is wrong', async (_, path, init, status, text) => {
    const refused = await fetch(`${await listening()}${path}`, init);
    expect(refused.status).toBe(status);
    expect(await refused.text()).toContain(text);
  });

  it('refuses a page of a browser whose name leads to this address, which sends no origin', async () => {
    const { port } = new URL(await listening());
    // Browsers send sec-fetch-site to trustworthy URLs only: over HTTPS, or to localhost.
    for (const header of ['sec-fetch-site: same-origin\r\n', '']) {
      const request = `GET /metrics HTTP/1.1\r\nhost: evil.example:${port}\r\n${header}\r\n`;
      expect(await answerOf(Number(port), request)).toContain('HTTP/1.1 403');
    }
  });

  it.each(['localhost', 'LOCALHOST:9', '127.0.0.1', '127.0.0.1:9', '[::1]', '[::1]:9'])(
    'answers a request for %s',
    async (host) => {
      const { port } = new URL(await listening());
      const request = `GET /metrics HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
      expect(await answerOf(Number(port), request)).toContain('HTTP/1.1 200');
    },
  );

  it('answers every name of its machine if other machines may reach it', async () => {
    const { port } = new URL(await listening(undefined, '0.0.0.0'));
    const request = `GET /metrics HTTP/1.1\r\nhost: node-1.example:${port}\r\n\r\n`;
    expect(await answerOf(Number(port), request)).toContain('HTTP/1.1 200');
  });

  it('refuses and counts a request that claims an identity by the header of a load balancer', async () => {
    const at = await listening();
    const headers = { 'X-Amzn-Mtls-Clientcert-Leaf': 'x' };
    const refused = await fetch(`${at}/metrics`, { headers });
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('load balancer')]);
    expect(open.at(-1)?.forgedHeaders).toBe(1);
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', header: 'x-amzn-mtls-clientcert-leaf' });
    expect((await fetch(`${at}/metrics`)).status).toBe(200);
  });

  it('writes few lines about a flood of refused requests, and counts all of them', async () => {
    const at = await listening();
    const before = log.lines.length;
    const headers = { 'x-amzn-mtls-clientcert-leaf': 'x' };
    for (let i = 0; i < 8; i++)
      await Promise.all(
        Array.from({ length: 8 }, async () => (await fetch(`${at}/metrics`, { headers })).text()),
      );
    expect(open.at(-1)?.forgedHeaders).toBe(64);
    expect(log.lines.length - before).toBe(10);
  });

  it('refuses a request with a body', async () => {
    const { port } = new URL(await listening());
    const request = 'GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\n\r\nx';
    expect(await answerOf(Number(port), request)).toContain('HTTP/1.1 400');
  });

  it('collects once for all requests that come meanwhile, and again for the next one', async () => {
    let collections = 0;
    const gate = Promise.withResolvers<void>();
    const at = await listening(async () => {
      collections++;
      await gate.promise;
      return `n ${collections}\n`;
    });
    const all = Array.from({ length: 8 }, async () => (await fetch(`${at}/metrics`)).text());
    await expect.poll(() => collections).toBe(1);
    gate.resolve();
    expect(new Set(await Promise.all(all))).toEqual(new Set(['n 1\n']));
    expect(await (await fetch(`${at}/metrics`)).text()).toBe('n 2\n');
  });

  it('answers 500 if the metrics cannot be collected, says nothing of the cause, and logs it', async () => {
    const at = await listening(() => Promise.reject(new Error('secret cause')));
    const failed = await fetch(`${at}/metrics`);
    expect(failed.status).toBe(500);
    expect(await failed.text()).not.toContain('secret');
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', err: new Error('secret cause') });
  });

  it('has at most 16 connections, refuses large headers, and closes within a moment although they are open', async () => {
    const at = await listening();
    const { port } = new URL(at);
    const sockets = Array.from({ length: 30 }, () => connectSocket(Number(port), '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => {});
    await expect.poll(() => sockets.filter((socket) => !socket.destroyed).length).toBe(16);
    const large = `GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${'y'.repeat(9_000)}\r\n\r\n`;
    await expect.poll(() => answerOf(Number(port), large)).toContain('431');
    await open.splice(0)[0]?.close();
    await Promise.all(sockets.map(closed));
  });

  it('closes the connection that has been idle longest when another one comes, and none with a request', async () => {
    const gate = Promise.withResolvers<void>();
    let hasBegun = false;
    const at = await listening(async () => {
      hasBegun = true;
      await gate.promise;
      return 'up 1\n';
    });
    const { port } = new URL(at);
    const reading = fetch(`${at}/metrics`);
    await expect.poll(() => hasBegun).toBe(true);
    const idle: Socket[] = [];
    for (let i = 0; i < 15; i++) {
      const socket = connectSocket(Number(port), '127.0.0.1').on('error', () => {});
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
      idle.push(socket);
    }
    // A scraper comes, and a client whose request stays unfinished.
    const scrape = fetch(`${at}/metrics`);
    await closed(idle[0] as Socket);
    expect(idle.filter((socket) => socket.destroyed)).toHaveLength(1);
    const slow = connectSocket(Number(port), '127.0.0.1', () =>
      slow.write('GET /metrics HTTP/1.1\r\nhost: '),
    );
    slow.on('error', () => {});
    await closed(idle[1] as Socket);
    gate.resolve();
    const answers = await Promise.all([reading, scrape]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(idle.slice(2).filter((socket) => socket.destroyed)).toEqual([]);
    for (const socket of [...idle, slow]) socket.destroy();
  });
});

function closed(socket: Socket): Promise<void> {
  return socket.destroyed
    ? Promise.resolve()
    : new Promise((resolve) => socket.once('close', () => resolve()));
}

async function answerOf(port: number, request: string): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1', () => socket.write(request));
  let text = '';
  socket.on('error', () => {});
  socket.setEncoding('latin1');
  for await (const chunk of socket) {
    text += chunk;
    if (text.includes('\r\n\r\n')) break;
  }
  socket.destroy();
  return text;
}
