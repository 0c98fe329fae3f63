/** The cases below the protocols: bytes on a connection, with and without TLS, and frames of HTTP/2. */
import { type IdentityName, identityNames } from './identities.ts';
import type { Random } from './random.ts';

export interface RawCase {
  readonly kind: 'bytes' | 'frames' | 'http1';
  readonly port: 'grpc' | 'http';
  /** The identity of the TLS connection; undefined for one without TLS. */
  readonly identity: IdentityName | undefined;
  readonly writes: readonly Buffer[];
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [data, headers, , , settings, , , , , continuation] = Array.from({ length: 10 }, (_, i) => i);

function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length & 0xffffff, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** Returns a header block of HPACK that is not compressed: the literals of a gRPC call. */
function headerBlock(path: string, extra: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from([Math.min(126, value.length)]), Buffer.from(value.slice(0, 126))]);
  const literal = (name: string, value: string): Buffer =>
    Buffer.concat([Buffer.from([0]), text(name), text(value)]);
  const all = [['content-type', 'application/grpc'], ['te', 'trailers'], ...extra] as const;
  return Buffer.concat([
    Buffer.from([0x83, 0x87, 0x04]),
    text(path),
    ...all.map(([name, value]) => literal(name, value)),
  ]);
}

function randomFrame(paths: readonly string[], random: Random): Buffer {
  const stream = random.pick([0, 1, 1, 1, 3, 5, 2, 2 ** 31 - 1, 2 ** 31]);
  const flags = random.pick([0, 1, 4, 5, 8, 0x20, 255]);
  const size = random.pick([0, 4, 5, 6, 8, 40, 400]);
  switch (random.below(6)) {
    case 0:
      return http2Frame(random.below(16), flags, stream, random.bytes(size));
    case 1: {
      const name = random.pick(['x', 'X', ':path', 'connection', 'content-length', 'grpc-timeout', '']);
      return http2Frame(
        headers as number,
        random.pick([4, 5]),
        stream,
        headerBlock(random.pick(paths), [[name, random.pick(['', '1', '9999', '1H'])]]),
      );
    }
    case 2:
      return http2Frame(data as number, random.pick([0, 1]), stream, random.bytes(size));
    case 3: {
      const setting = Buffer.alloc(6);
      setting.writeUInt16BE(random.between(1, 9), 0);
      setting.writeUInt32BE(random.pick([0, 1, 16_383, 16_384, 2 ** 31 - 1, 2 ** 32 - 1]), 2);
      return http2Frame(settings as number, 0, 0, setting);
    }
    case 4:
      return http2Frame(continuation as number, random.pick([0, 4]), stream, random.bytes(size));
    default:
      return http2Frame(
        random.below(10),
        flags,
        stream,
        random.bytes(size),
        random.pick([0, size + 1, 16_385, 2 ** 24 - 1]),
      );
  }
}

const requestLines = [
  'GET /healthz HTTP/1.1',
  'POST /holdfast.v1.TaskService/GetTask HTTP/1.1',
  'GET /healthz HTTP/9.9',
  'GET  /x HTTP/1.1',
  'CONNECT a:1 HTTP/1.1',
  'G\0T / HTTP/1.1',
  'POST * HTTP/1.0',
];
const headerLines = [
  'Host: a',
  'Host:',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 5, 6',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked, identity',
  'Content-Type: application/json',
  'Expect: 100-continue',
  'Expect: the-unexpected',
  'Upgrade: h2c',
  'Connection: Upgrade, HTTP2-Settings',
  'X: \u0001',
  'No colon',
  ' folded: x',
  `X-Large: ${'x'.repeat(20_000)}`,
];
const bodies = ['', '{}', '5\r\nhello\r\n0\r\n\r\n', 'ffffffffffffffff\r\n', '-1\r\n', 'x'.repeat(3_000)];

function http1(random: Random): Buffer[] {
  const lines = Array.from({ length: random.below(6) }, () => random.pick(headerLines));
  const request = `${[random.pick(requestLines), ...lines].join('\r\n')}\r\n\r\n${random.pick(bodies)}`;
  return Array.from({ length: random.between(1, 3) }, () => Buffer.from(request, 'latin1'));
}

export function rawCase(paths: readonly string[], random: Random): RawCase {
  const kind = random.pick(['bytes', 'frames', 'frames', 'http1'] as const);
  const identity = random.chance(0.2) ? undefined : random.pick(identityNames);
  const port =
    kind === 'http1'
      ? random.pick(['http', 'http', 'grpc'] as const)
      : random.pick(['grpc', 'http'] as const);
  const base = { kind, port, identity };
  if (kind === 'http1') return { ...base, writes: http1(random) };
  if (kind === 'bytes') {
    const hello = Buffer.from(`16030100${random.bytes(1).toString('hex')}`, 'hex');
    return {
      ...base,
      writes: [
        random.chance(0.3) ? hello : preface.subarray(0, random.below(24)),
        random.bytes(random.below(600)),
      ],
    };
  }
  const first = random.chance(0.9) ? http2Frame(settings as number, 0, 0, Buffer.alloc(0)) : Buffer.alloc(0);
  const frames = Array.from({ length: random.between(1, 12) }, () => randomFrame(paths, random));
  return { ...base, writes: [Buffer.concat([preface, first]), ...frames] };
}
