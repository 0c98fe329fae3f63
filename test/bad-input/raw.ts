/** A client that knows HTTP/2 and TLS, and of gRPC only what it is told to send. */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { ErrorInfoSchema } from '../../src/rpc/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../src/rpc/gen/google/rpc/status_pb.ts';
import type { CertificateFiles } from '../../src/tls/load.ts';

function pem({ ca, cert, key }: CertificateFiles) {
  return { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
}

/** A gRPC frame; `length` may lie. */
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

export function open(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  const grpc = { 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ':method': 'POST', ':path': path, ...grpc });
  stream.on('error', () => {});
  return stream;
}

export interface Answer {
  /** Of gRPC; NaN: the stream was reset. */
  readonly status: number;
  readonly message: string;
  readonly reason: string | undefined;
}

/** What came of a stream, once it is over. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let found: Record<string, unknown> = {};
  const keep = (headers: object): void => {
    found = { ...found, ...headers };
  };
  stream.on('response', keep);
  stream.on('trailers', keep);
  stream.resume();
  await closed(stream);
  const details = found['grpc-status-details-bin'];
  const known = typeof details === 'string' ? Buffer.from(details, 'base64') : new Uint8Array();
  const infos = fromBinary(StatusSchema, known).details.map((any) => anyUnpack(any, ErrorInfoSchema));
  return {
    status: Number(found['grpc-status']),
    message: decodeURI(String(found['grpc-message'] ?? '')),
    reason: infos.find((info) => info !== undefined)?.reason,
  };
}

/** Also where it broke. */
export function closed(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

/** Writes bytes to the port as they are, and waits until the other side has hung up. */
export async function sendBytes(port: number, bytes: Uint8Array | string): Promise<void> {
  const socket = connectPlain(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end(bytes);
  socket.resume();
  await closed(socket);
}

/** A TLS connection that says `bytes` instead of HTTP/2. */
export async function sendInTls(port: number, tls: CertificateFiles, bytes: Uint8Array): Promise<void> {
  const socket: Socket = connectTls({ port, host: '127.0.0.1', ...pem(tls), ALPNProtocols: ['h2'] });
  socket.on('error', () => {});
  socket.end(bytes);
  socket.resume();
  await closed(socket);
}
