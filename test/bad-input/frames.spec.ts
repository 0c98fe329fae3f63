/** Bytes that are not a valid call, sent over raw HTTP/2 and raw sockets to a real server with mutual TLS. */
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSubmitBatch } from '../../src/core/codec/submit.ts';
import type { Client } from '../../src/index.ts';
import { item } from '../fixtures/api-node.ts';
import { statusOf } from '../fixtures/raw-grpc.ts';
import { type Server, Site } from './bad-input-server.ts';
import { closed, frame, http2, openGrpcStream, sendBytes, sendInTls } from './raw-client.ts';
import { acceptNotes, expectEndOnce } from './tasks.ts';

const calls = ['SubmitTask', 'SubmitTasks', 'GetTask'].map((name) => `/holdfast.v1.TaskService/${name}`);
const streams = ['Work', 'Report'].map((name) => `/holdfast.v1.WorkerService/${name}`);
const submitTasks = calls[1] as string;

let site: Site;
let server: Server;
let session: ClientHttp2Session;
let client: Client;
let before: string[];
beforeAll(async () => {
  site = await Site.make();
  server = await site.serve();
  client = server.client();
  session = http2(server.grpcPort, site.clientFiles);
  before = await acceptNotes(client, 20);
});
afterAll(async () => {
  session.destroy();
  await site[Symbol.asyncDispose]();
});

async function send(path: string, bytes: Uint8Array) {
  const stream = openGrpcStream(session, path);
  const response = statusOf(stream);
  stream.end(bytes);
  return response;
}
const batch = encodeSubmitBatch({ tenant: '', queue: 'frames', items: [item('whole')] });

describe('a gRPC frame', () => {
  it('that is too large is refused, whether its bytes arrive or are only announced', async () => {
    for (const path of [...calls, ...streams]) {
      expect(await send(path, frame(Buffer.alloc(1_200_000)))).toMatchObject({
        code: 8,
        reason: 'TOO_LARGE',
        message: 'The message has 1,200,000 bytes; at most 1,048,576 are taken.',
      });
      const announced = await send(path, frame(Buffer.alloc(100), { length: 2 ** 32 - 1 }));
      expect(announced.code).toBe(8);
    }
  });

  it('that is truncated in its header or its message submits no task', async () => {
    const half = batch.subarray(0, batch.length - 3);
    for (const bytes of [
      frame(half, { length: batch.length }),
      frame(batch).subarray(0, 3),
      Buffer.alloc(0),
    ]) {
      expect((await send(submitTasks, bytes)).code).not.toBe(0);
    }
    expect((await client.list({ queue: 'frames' })).tasks).toEqual([]);
    expect((await send(submitTasks, frame(batch))).code).toBe(0);
    expect((await client.list({ queue: 'frames' })).tasks).toHaveLength(1);
  });

  it('with a truncated message or random bytes is refused as malformed', async () => {
    for (const bytes of [batch.subarray(0, batch.length - 3), Buffer.from([0xff, 0xff, 0xff])]) {
      expect(await send(submitTasks, frame(bytes))).toMatchObject({
        code: 3,
        reason: 'BAD_FIELD',
        message: expect.stringContaining('malformed'),
      });
    }
  });

  it('that never ends, or whose stream is reset, does not delay other calls', async () => {
    const hanging = [...calls, ...streams].map((path) => {
      const stream = openGrpcStream(session, path);
      stream.write(frame(Buffer.alloc(10), { length: 100 }));
      return stream;
    });
    expect((await client.list({ queue: 'frames' })).tasks).toHaveLength(1);
    for (const stream of hanging) stream.close(constants.NGHTTP2_CANCEL);
    await Promise.all(hanging.map(closed));
    expect((await send(submitTasks, frame(batch))).code).toBe(0);
  });
});

describe('the TLS port', () => {
  it('closes connections that do not use TLS, and logs the peer of each', async () => {
    const invalidHandshakes = [
      randomBytes(512),
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '',
    ];
    for (const port of [server.grpcPort, server.httpPort])
      for (const bytes of invalidHandshakes) await sendBytes(port, bytes);
    const refused = () =>
      server.lines().filter((line) => line.msg === 'a connection was refused: the TLS handshake failed');
    for (const listener of ['grpc', 'http']) {
      await expect
        .poll(refused)
        .toContainEqual(
          expect.objectContaining({ listener, peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }),
        );
    }
  });

  it('closes connections that send random bytes within TLS', async () => {
    for (let i = 0; i < 5; i++) await sendInTls(server.grpcPort, site.clientFiles, randomBytes(2_000));
  });
});

it('after clients sent invalid gRPC frames, the same server process runs each accepted task exactly once', async () => {
  await expectEndOnce(client, before);
  expect(() => process.kill(server.pid, 0)).not.toThrow();
});
