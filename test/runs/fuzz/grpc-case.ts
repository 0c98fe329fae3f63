/** The cases over gRPC: which call, as whom, with which headers, and the bytes that are sent. */
import { gzipSync } from 'node:zlib';
import { frame } from '../../fixtures/raw-grpc.ts';
import { type IdentityName, identityNames } from './identities.ts';
import type { KnownValues } from './known-values.ts';
import { messageOf } from './messages.ts';
import { mutate } from './mutations.ts';
import type { Random } from './random.ts';
import type { Rpc } from './rpcs.ts';

export const grpcKinds = ['valid', 'mutated', 'framing', 'headers', 'order'] as const;
export type GrpcKind = (typeof grpcKinds)[number];

export interface GrpcCase {
  readonly kind: GrpcKind;
  readonly identity: IdentityName;
  readonly rpc: Rpc;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of each write. */
  readonly writes: readonly Buffer[];
  /** The number of messages among them. */
  readonly messages: number;
  /** True if the client ends its side; false if it leaves the call open, and cancels it later. */
  readonly ends: boolean;
}

const weights: readonly IdentityName[] = [
  'admin',
  'admin',
  'admin',
  'admin',
  'worker',
  'worker',
  ...identityNames,
];

/** The call's time, so that a call that waits does not hold up the run. */
const timeout = '400m';

export function grpcCase(rpc: Rpc, random: Random, known: KnownValues): GrpcCase {
  const kind = random.pick(grpcKinds);
  const base = { kind, rpc, identity: random.pick(weights), path: rpc.path, ends: random.chance(0.9) };
  const message = (): Buffer => messageOf(rpc.input, random, known);
  const call = (messages: readonly Buffer[], headers: Readonly<Record<string, string>> = {}): GrpcCase => ({
    ...base,
    headers: { 'grpc-timeout': timeout, ...headers },
    writes: messages,
    messages: messages.length,
  });
  switch (kind) {
    case 'valid':
      return call(several(rpc, random).map(() => frame(message())));
    case 'mutated':
      return call(several(rpc, random).map(() => frame(mutate(message(), random).bytes)));
    case 'order':
      return call(shuffled(random, message).map((bytes) => frame(bytes)));
    case 'framing':
      if (random.chance(0.7)) return call(framed(message(), random));
      return call([compressed(message(), random)], { 'grpc-encoding': random.pick(encodings) });
    case 'headers':
      return { ...call([frame(message())], oddHeaders(random)), path: oddPath(rpc.path, random) };
  }
}

/** Returns one place for each message that a call may send. */
function several({ clientStreams }: Rpc, random: Random): readonly number[] {
  return Array.from({ length: clientStreams ? random.between(1, 5) : 1 }, (_, i) => i);
}

/** Returns messages in an order that no client has: several of a unary call, none, the same one again. */
function shuffled(random: Random, message: () => Buffer): Buffer[] {
  const made = Array.from({ length: random.below(5) }, message);
  const again = made.length > 0 && random.chance(0.5) ? [random.pick(made), random.pick(made)] : [];
  return [...made, ...again];
}

function framed(message: Buffer, random: Random): Buffer[] {
  const whole = frame(message);
  switch (random.below(8)) {
    case 0:
      return [frame(message, message.length, random.pick([1, 2, 128, 255]))];
    case 1:
      return [frame(message, random.pick([0, message.length + 1, 65_536, 1_200_000, 2 ** 32 - 1]))];
    case 2:
      return [frame(message, Math.max(0, message.length - random.between(1, 9)))];
    case 3:
      return [whole, whole, frame(Buffer.alloc(0))];
    case 4:
      return [whole.subarray(0, random.below(whole.length))];
    case 5:
      return [Buffer.concat([whole, random.bytes(random.between(1, 20))])];
    case 6:
      return [...Array.from({ length: Math.min(40, whole.length) }, (_, i) => whole.subarray(i, i + 1))];
    default:
      return [random.bytes(random.below(64))];
  }
}

const timeouts = [
  '0m',
  '1n',
  '99999999H',
  '999999999S',
  '-1S',
  '1',
  'S',
  '1.5S',
  ' 1S',
  '1X',
  '00000001u',
  '',
  '2147483648m',
];
const encodings = ['identity', 'gzip', 'deflate', 'br', 'zstd', 'gzip, br', '', 'GZIP'];
const contentTypes = [
  'application/grpc+proto',
  'application/grpc+json',
  'application/grpc;x',
  'application/grpc-web',
  'application/json',
  '',
];

function oddHeaders(random: Random): Record<string, string> {
  // More than eight frames of headers end the session, as a flood.
  const wide = 'v'.repeat(random.pick([1, 200, 4_000, 17_000, 60_000]));
  const odd: readonly Readonly<Record<string, string>>[] = [
    { 'grpc-timeout': random.pick(timeouts) },
    { 'grpc-encoding': random.pick(encodings) },
    { 'grpc-accept-encoding': random.pick(encodings) },
    { 'content-type': random.pick(contentTypes) },
    { 'x-wide': wide },
    {
      'x-bin': Buffer.from(random.bytes(8))
        .toString('latin1')
        .replaceAll(/[^ -~]/g, '~'),
    },
    { 'trace-bin': random.pick(['', '=', '%%%', 'AAA', 'A,B', 'é']) },
    { traceparent: random.pick(['', 'x', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`]) },
    { 'x-amzn-mtls-clientcert': 'admin' },
    { te: random.pick(['', 'trailers']) },
    { 'user-agent': 'fuzz', authorization: 'Bearer x' },
    // Node ends the whole session of a call that sends more than its content-length.
    { 'content-length': '99999999999' },
  ];
  return Object.assign({}, ...Array.from({ length: random.between(1, 4) }, () => random.pick(odd)));
}

function oddPath(path: string, random: Random): string {
  if (random.chance(0.8)) return path;
  const odd = [
    `${path}/`,
    `${path}?x=1`,
    path.toLowerCase(),
    path.slice(1),
    '/',
    '//',
    `${path}%00`,
    '/__proto__/x',
  ];
  return random.chance(0.1) ? `/${'p'.repeat(9_000)}` : random.pick(odd);
}

/** Returns a message that is compressed, or that only says that it is. */
function compressed(message: Buffer, random: Random): Buffer {
  return frame(random.chance(0.6) ? gzipSync(message) : message, undefined, 1);
}
