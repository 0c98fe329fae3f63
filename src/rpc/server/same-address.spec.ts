import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import type { CertificateFiles } from '../../tls/load.ts';

let served: ListeningNode;
let admin: CertificateFiles;
const opened: TLSSocket[] = [];
beforeAll(async () => {
  served = await startListeningNode({ host: '0.0.0.0' });
  admin = await served.authority.issue('admin', 'client');
});
afterAll(async () => {
  for (const socket of opened) socket.destroy();
  await served[Symbol.asyncDispose]();
});

interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly localPort: number;
  readonly protocol: string;
  readonly files?: CertificateFiles;
}

/** Opens a TLS connection from 127.0.0.1 and the given local port. */
function open({ host, port, localPort, protocol, files }: ConnectionOptions): Promise<TLSSocket> {
  const own = files && { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  return new Promise((resolve, reject) => {
    const tcp = connectTcp({ host, port, localPort, localAddress: '127.0.0.1' });
    tcp.on('error', reject);
    const tls = { socket: tcp, ALPNProtocols: [protocol], rejectUnauthorized: false, ...own };
    const socket = connectTls(tls, () => resolve(socket));
    socket.on('error', reject);
    opened.push(socket);
  });
}

const listQueues = '/holdfast.v1.AdminService/ListQueues';

/** Returns a function that makes a call over HTTP/1.1 and resolves with the HTTP status. */
function callHttp1(socket: TLSSocket): () => Promise<string> {
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

/** Returns a function that makes a call over HTTP/2 and resolves with the HTTP status. */
function callHttp2(socket: TLSSocket): () => Promise<string> {
  const session = sessionOver(socket);
  return () =>
    new Promise((resolve) => {
      const headers = { ':method': 'POST', ':path': listQueues, 'content-type': 'application/json' };
      const stream = session.request(headers);
      stream.on('response', (answer) => resolve(String(answer[':status'])));
      stream.end('{}');
    });
}

/** Returns a function that makes a gRPC call and resolves with the gRPC status. */
function callGrpc(socket: TLSSocket): () => Promise<string> {
  const session = sessionOver(socket);
  return () =>
    new Promise((resolve) => {
      const headers = { ':method': 'POST', ':path': listQueues, 'content-type': 'application/grpc' };
      const stream = session.request({ ...headers, te: 'trailers' });
      const onHeaders = (headers: { readonly 'grpc-status'?: unknown }): void => {
        if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
      };
      stream.on('response', onHeaders).on('trailers', onHeaders).resume();
      stream.end(Buffer.alloc(5));
    });
}

describe('connections from one address and port to two addresses of the server', () => {
  it.each([
    { over: 'HTTP/1.1', protocol: 'http/1.1', makeCall: callHttp1, yes: '200', no: '401' },
    { over: 'HTTP/2', protocol: 'h2', makeCall: callHttp2, yes: '200', no: '401' },
    { over: 'gRPC', protocol: 'h2', makeCall: callGrpc, yes: '0', no: '16' },
  ])('keep separate identities over $over', async ({ over, protocol, makeCall, yes, no }) => {
    const port = (over === 'gRPC' ? served.listening.grpcPort : served.listening.httpPort) ?? 0;
    const first = await open({ host: '127.0.0.2', port, localPort: 0, protocol });
    const samePort = { port, localPort: first.localPort ?? 0, protocol };
    const callAnonymously = makeCall(first);
    expect(await callAnonymously()).toBe(no);
    const callAsAdmin = makeCall(await open({ ...samePort, host: '127.0.0.1', files: admin }));
    expect(await callAsAdmin()).toBe(yes);
    expect(await callAnonymously()).toBe(no);
    const callAnonymouslyAgain = makeCall(await open({ ...samePort, host: '127.0.0.3' }));
    expect(await callAnonymouslyAgain()).toBe(no);
    expect(await callAsAdmin()).toBe(yes);
  });
});
