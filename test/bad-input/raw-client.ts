/** A raw client over HTTP/2 and TLS. It knows nothing of gRPC and sends any bytes that a test gives it. */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { CertificateFiles } from '../../src/tls/load.ts';

function pem({ ca, cert, key }: CertificateFiles) {
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
}

/** Returns a gRPC frame around `bytes`. A test may give a wrong `length` for its header. */
export function frame(bytes: Uint8Array, { flag = 0, length = bytes.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
}

export function http2(port: number, tls: CertificateFiles): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${port}`, pem(tls));
  session.on('error', () => {});
  return session;
}

export function openGrpcStream(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  const grpc = { 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ':method': 'POST', ':path': path, ...grpc });
  stream.on('error', () => {});
  return stream;
}

/** Resolves when the stream has closed, also after an error. */
export function closed(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

/** Writes raw bytes to the port, and waits until the server has closed the connection. */
export async function sendBytes(port: number, bytes: Uint8Array | string): Promise<void> {
  const socket = connectPlain(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end(bytes);
  socket.resume();
  await closed(socket);
}

/** Opens a TLS connection and writes raw bytes instead of HTTP/2. Waits until the server has closed the connection. */
export async function sendInTls(port: number, tls: CertificateFiles, bytes: Uint8Array): Promise<void> {
  const socket: Socket = connectTls({ port, host: '127.0.0.1', ...pem(tls), ALPNProtocols: ['h2'] });
  socket.on('error', () => {});
  socket.end(bytes);
  socket.resume();
  await closed(socket);
}
