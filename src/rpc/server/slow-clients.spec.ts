import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import { timing } from '../../core/limits.ts';
import type { CertificateFiles } from '../../tls/load.ts';

/**
 * The time that a test allows beyond a time limit, in ms: the machine may be busy. Without the limits of Holdfast, Node would close
 * the connections after 60 s at the earliest.
 */
const slackMs = 25_000;

let secured: ListeningNode;
let plain: ListeningNode;
let alice: CertificateFiles;
beforeAll(async () => {
  secured = await startListeningNode({ bounds: { requestMs: 400 } });
  plain = await startListeningNode({ plaintext: true, bounds: { requestMs: 400 } });
  alice = await secured.authority.issue('alice', 'client');
});
afterAll(async () => {
  await secured[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

const grpcPort = ({ listening }: ListeningNode) => listening.grpcPort;
const httpPort = ({ listening }: ListeningNode) => listening.httpPort ?? 0;

/** Reads a socket until the server closes it. Resolves with its text and the time in ms since the call. */
function closing(socket: Socket): Promise<{ text: string; afterMs: number }> {
  const sinceMs = performance.now();
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (data) => {
    text += data;
  });
  return new Promise((resolve) =>
    socket.once('close', () => resolve({ text, afterMs: performance.now() - sinceMs })),
  );
}

function tlsSocket(port: number, protocol: string): Socket {
  const [ca, cert, key] = [alice.ca, alice.cert, alice.key].map((file) => readFileSync(file));
  return connectTls({ host: '127.0.0.1', port, ca, cert, key, ALPNProtocols: [protocol] });
}

describe('a connection is closed', () => {
  it.concurrent.each([
    ['the gRPC listener', grpcPort],
    ['the HTTP listener', httpPort],
  ] as const)(
    'by %s if its TLS handshake does not end in 5 s, or ends and HTTP/2 does not begin',
    async (_, portOf) => {
      const silent = closing(connectTcp({ host: '127.0.0.1', port: portOf(secured) }));
      const idle = closing(tlsSocket(portOf(secured), 'h2'));
      for (const { afterMs } of [await silent, await idle]) {
        expect(afterMs).toBeGreaterThan(timing.handshakeMs - 500);
        expect(afterMs).toBeLessThan(timing.handshakeMs + slackMs);
      }
    },
  );

  it.concurrent('by a gRPC listener without TLS if HTTP/2 does not begin in 5 s', async () => {
    const socket = connectTcp({ host: '127.0.0.1', port: grpcPort(plain) });
    socket.write('PRI * HTTP/2.0\r\n');
    expect((await closing(socket)).afterMs).toBeLessThan(timing.handshakeMs + slackMs);
  });

  it.concurrent('by the HTTP listener if the headers of its request do not end', async () => {
    const sockets = [
      tlsSocket(httpPort(secured), 'http/1.1'),
      connectTcp({ host: '127.0.0.1', port: httpPort(plain) }),
    ];
    for (const socket of sockets)
      socket.write('POST /holdfast.v1.TaskService/GetTask HTTP/1.1\r\nhost: x\r\n');
    for (const socket of sockets) {
      const { text, afterMs } = await closing(socket);
      expect(text).toContain('408 Request Timeout');
      expect(afterMs).toBeLessThan(timing.headersMs + slackMs);
    }
  });

  it.concurrent('not if it has begun in time: a client goes on after the time of the handshake', async () => {
    const client = await secured.client('late');
    const submit = (key: string) =>
      client.submit({ tenant: '', queue: 'q', items: [item(key)] }, { timeoutMs: 5_000 });
    await submit('before');
    const connections = secured.listening.connections;
    await secured.clock.sleep(timing.handshakeMs + 500);
    await submit('after');
    expect(secured.listening.connections).toBeLessThanOrEqual(connections);
  });
});

describe('a body that does not end in time', () => {
  const path = '/holdfast.v1.TaskService/GetTask';
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`;

  it.each([
    ['with TLS', () => tlsSocket(httpPort(secured), 'http/1.1')],
    ['without TLS', () => connectTcp({ host: '127.0.0.1', port: httpPort(plain) })],
  ] as const)(
    'is answered with an error over HTTP/1.1, and the connection is closed, %s',
    async (_, open) => {
      const socket = open();
      socket.write(head);
      const trickle = setInterval(() => socket.write(' '), 100);
      const { text, afterMs } = await closing(socket);
      clearInterval(trickle);
      expect(text).toContain('The message of this call did not arrive within 0.4 s.');
      expect(afterMs).toBeLessThan(400 + 1_000 + slackMs);
    },
  );

  it('is answered with an error over HTTP/2, and the stream is closed', async () => {
    const [ca, cert, key] = [alice.ca, alice.cert, alice.key].map((file) => readFileSync(file));
    const session = connectHttp2(`https://127.0.0.1:${httpPort(secured)}`, { ca, cert, key });
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json' });
    stream.on('error', () => {});
    stream.write('{');
    let text = '';
    stream.on('data', (data) => {
      text += data;
    });
    await new Promise<void>((resolve) => stream.once('close', resolve));
    session.destroy();
    expect(text).toContain('did not arrive within 0.4 s');
    await expect.poll(() => secured.listening.receivingBytes).toBe(0);
  });
});
