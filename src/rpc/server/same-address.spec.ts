import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serve } from '../../../test/fixtures/listening.ts';
import type { CertificateFiles } from '../../tls/load.ts';

let served: Served;
let admin: CertificateFiles;
const opened: TLSSocket[] = [];
beforeAll(async () => {
  served = await serve({ host: '0.0.0.0' });
  admin = await served.authority.issue('admin', 'client');
});
afterAll(async () => {
  for (const socket of opened) socket.destroy();
  await served[Symbol.asyncDispose]();
});

interface Way {
  readonly host: string;
  readonly port: number;
  readonly localPort: number;
  readonly protocol: string;
  readonly files?: CertificateFiles;
}

/** From 127.0.0.1 and a chosen port. */
function open({ host, port, localPort, protocol, files }: Way): Promise<TLSSocket> {
  const own = files && { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  return new Promise((resolve, reject) => {
    const below = connectTcp({ host, port, localPort, localAddress: '127.0.0.1' });
    below.on('error', reject);
    const tls = { socket: below, ALPNProtocols: [protocol], rejectUnauthorized: false, ...own };
    const socket = connectTls(tls, () => resolve(socket));
    socket.on('error', reject);
    opened.push(socket);
  });
}

const listQueues = '/holdfast.v1.AdminService/ListQueues';

/** The status of HTTP. */
function askHttp1(socket: TLSSocket): () => Promise<string> {
  return () =>
    new Promise((resolve) => {
      socket.once('data', (data) => resolve(String(data).split(' ')[1] ?? ''));
      socket.write(
        `POST ${listQueues} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      );
    });
}

function sessionOver(socket: TLSSocket): ClientHttp2Session {
  const session = connectHttp2('https://x', { createConnection: () => socket });
  session.on('error', () => {});
  return session;
}

function askHttp2(socket: TLSSocket): () => Promise<string> {
  const session = sessionOver(socket);
  return () =>
    new Promise((resolve) => {
      const headers = { ':method': 'POST', ':path': listQueues, 'content-type': 'application/json' };
      const stream = session.request(headers);
      stream.on('response', (answer) => resolve(String(answer[':status'])));
      stream.end('{}');
    });
}

/** The status of gRPC. */
function askGrpc(socket: TLSSocket): () => Promise<string> {
  const session = sessionOver(socket);
  return () =>
    new Promise((resolve) => {
      const headers = { ':method': 'POST', ':path': listQueues, 'content-type': 'application/grpc' };
      const stream = session.request({ ...headers, te: 'trailers' });
      const told = (answer: { readonly 'grpc-status'?: unknown }): void => {
        if (answer['grpc-status'] !== undefined) resolve(String(answer['grpc-status']));
      };
      stream.on('response', told).on('trailers', told).resume();
      stream.end(Buffer.alloc(5));
    });
}

describe('connections from one address and port to two addresses of the server', () => {
  it.each([
    { over: 'HTTP/1.1', protocol: 'http/1.1', ask: askHttp1, yes: '200', no: '401' },
    { over: 'HTTP/2', protocol: 'h2', ask: askHttp2, yes: '200', no: '401' },
    { over: 'gRPC', protocol: 'h2', ask: askGrpc, yes: '0', no: '16' },
  ])('are two identities over $over', async ({ over, protocol, ask, yes, no }) => {
    const port = (over === 'gRPC' ? served.listening.grpcPort : served.listening.httpPort) ?? 0;
    const first = await open({ host: '127.0.0.2', port, localPort: 0, protocol });
    const way = { port, localPort: first.localPort ?? 0, protocol };
    const stranger = ask(first);
    expect(await stranger()).toBe(no);
    const known = ask(await open({ ...way, host: '127.0.0.1', files: admin }));
    expect(await known()).toBe(yes);
    expect(await stranger()).toBe(no);
    const third = ask(await open({ ...way, host: '127.0.0.3' }));
    expect(await third()).toBe(no);
    expect(await known()).toBe(yes);
  });
});
