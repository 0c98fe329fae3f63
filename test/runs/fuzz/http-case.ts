/** The cases over HTTP: a request of any method to any path, in any content type. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import { frame } from '../../fixtures/raw-grpc.ts';
import { type IdentityName, identityNames } from './identities.ts';
import type { KnownValues } from './known-values.ts';
import { messageOf } from './messages.ts';
import { mutate } from './mutations.ts';
import type { Random } from './random.ts';
import type { Rpc } from './rpcs.ts';

export interface HttpCase {
  readonly kind: 'call' | 'oddCall' | 'request';
  readonly identity: IdentityName;
  readonly version: 1 | 2;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const methods = ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];
const contentTypes = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'application/proto',
  'application/connect+json',
  'application/connect+proto',
  'application/grpc',
  'application/grpc-web+proto',
  'text/plain',
  'multipart/form-data; boundary=x',
  '',
  '\u00e9',
];
const encodings = ['gzip', 'br', 'identity', 'deflate', 'gzip, gzip', 'none', ''];
const weights: readonly IdentityName[] = ['admin', 'admin', 'admin', 'worker', ...identityNames];

/** Returns a case for an rpc over HTTP, or for one of the other paths. */
export function httpCase(rpc: Rpc, paths: readonly string[], random: Random, known: KnownValues): HttpCase {
  const kind = random.pick(['call', 'oddCall', 'oddCall', 'request'] as const);
  const base = { kind, identity: random.pick(weights), version: random.pick([1, 2] as const) };
  const binary = random.chance(0.3);
  const streams = rpc.serverStreams || rpc.clientStreams;
  const message = bodyOf(rpc, binary, random, known);
  const framed = streams ? frame(message) : message;
  const type = `application/${streams ? 'connect+' : ''}${binary ? 'proto' : 'json'}`;
  const headers = { 'content-type': type, 'connect-protocol-version': '1', 'connect-timeout-ms': '300' };
  if (kind === 'call') return { ...base, method: 'POST', path: rpc.path, headers, body: framed };
  const body = random.pick([
    framed,
    frame(message, random.below(70_000), random.below(4)),
    random.bytes(40),
    Buffer.alloc(0),
  ]);
  const path = kind === 'oddCall' ? rpc.path : random.pick(paths);
  return {
    ...base,
    method: random.chance(0.7) ? 'POST' : random.pick(methods),
    path: random.chance(0.6) ? path : oddPath(path, random),
    ...oddHeaders(headers, body, random),
  };
}

function bodyOf(rpc: Rpc, binary: boolean, random: Random, known: KnownValues): Buffer {
  const valid = messageOf(rpc.input, random, known);
  const bytes = random.chance(0.6) ? valid : mutate(valid, random).bytes;
  if (binary || rpc.input === undefined) return bytes;
  try {
    const json = Buffer.from(toJsonString(rpc.input, fromBinary(rpc.input, bytes)));
    return random.chance(0.6) ? json : mutatedJson(json, random);
  } catch {
    return mutatedJson(Buffer.from('{"tenant":"fuzz","queue":"one","id":"x"}'), random);
  }
}

const jsonPieces = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  '1e999',
  '-0',
  '"__proto__":{}',
  '\\u0000',
  '\\ud800',
  '/*',
];

function mutatedJson(json: Buffer, random: Random): Buffer {
  const at = random.below(json.length + 1);
  switch (random.below(5)) {
    case 0:
      return Buffer.from('['.repeat(random.between(1, 50_000)));
    case 1:
      return json.subarray(0, at);
    case 2:
      return mutate(json, random, random.pick(['flippedBits', 'insertedBytes', 'repeated'])).bytes;
    default:
      return Buffer.concat([json.subarray(0, at), Buffer.from(random.pick(jsonPieces)), json.subarray(at)]);
  }
}

function oddPath(path: string, random: Random): string {
  const query = random.pick([
    '?',
    '?connect=v1&encoding=json&message=%7B%7D',
    '?a=%',
    `?q=${'x'.repeat(9_000)}`,
    '?base64=1&message=!',
  ]);
  return random.pick([
    `${path}${query}`,
    `${path}/`,
    `/${path}`,
    `${path}/../x`,
    `${path}%2f%00`,
    path.toUpperCase(),
    `${path}#x`,
  ]);
}

function oddHeaders(
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  random: Random,
): Pick<HttpCase, 'headers' | 'body'> {
  const odd: Record<string, string> = { ...headers };
  let sent = body;
  for (let count = random.below(4); count > 0; count--) {
    switch (random.below(9)) {
      case 0:
        odd['content-type'] = random.pick(contentTypes);
        break;
      case 1:
        odd['content-encoding'] = random.pick(encodings);
        if (random.chance(0.5)) sent = random.chance(0.5) ? gzipSync(sent) : brotliCompressSync(sent);
        break;
      case 2:
        odd['connect-content-encoding'] = random.pick(encodings);
        break;
      case 3:
        odd['connect-timeout-ms'] = random.pick(['', '-1', '99999999999', 'x', '0', '1.5']);
        break;
      case 4:
        odd['connect-protocol-version'] = random.pick(['', '2', 'x']);
        break;
      case 5:
        odd[`x-${random.below(50)}`] = 'v'.repeat(random.pick([1, 8_000, 20_000]));
        break;
      case 6:
        odd.origin = random.pick(['https://example.com', 'null', '']);
        break;
      case 7:
        odd['accept-encoding'] = random.pick(encodings);
        break;
      default:
        Object.assign(
          odd,
          random.pick([
            { expect: '100-continue' },
            { 'x-amzn-mtls-clientcert-leaf': 'x' },
            { range: 'bytes=0-' },
          ]),
        );
    }
  }
  return { headers: odd, body: sent };
}
