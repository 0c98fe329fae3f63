import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import { frame, type RawStatus, statusOf } from '../../../test/fixtures/raw-grpc.ts';
import type { Transport } from '../../client/transport.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { WorkResponse } from '../../core/messages.ts';
import type { ServerStream } from '../api/api.ts';
import { services } from './grpc/grpc.ts';

const big = 'x'.repeat(200_000);
const slow = new HoldfastError('RESOURCE_EXHAUSTED', 'SLOW_READER', 'Cut.');

/** Sends 12 MB on a Work stream at once, and ends the stream if more bytes are buffered than the API allows. */
function flood(stream: ServerStream<WorkResponse>): void {
  for (let i = 0; i < 60; i++) {
    stream.send({ kind: 'welcome', sessionId: big, node: '', leaseMs: 0, heartbeatMs: 0 });
  }
  if (stream.bufferedBytes > 8_388_608) stream.end(slow);
}

let served: ListeningNode;
let session: ClientHttp2Session;
let other: Transport;
beforeAll(async () => {
  served = await startListeningNode({
    plaintext: true,
    wrap: (api) => ({
      ...api,
      work(stream, context) {
        if (context.traceparent !== 'flood') return api.work(stream, context);
        flood(stream);
        return { message() {}, closed() {} };
      },
      watch(request, context) {
        if (context.traceparent !== 'flood') return api.watch(request, context);
        return (async function* () {
          for (;;) yield { $typeName: 'holdfast.v1.WatchTasksResponse' as const, id: big };
        })();
      },
    }),
  });
  other = await served.client();
  session = connect(`http://${served.address}`);
  session.on('error', () => {});
});
afterAll(async () => {
  session.destroy();
  await served[Symbol.asyncDispose]();
});

const submitTask = '/holdfast.v1.TaskService/SubmitTask';
const submitTasks = '/holdfast.v1.TaskService/SubmitTasks';
const work = '/holdfast.v1.WorkerService/Work';

/** Resolves when the stream is closed, also after an error. */
function closed(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

function openStream(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

function send(path: string, bytes: Uint8Array, headers?: Record<string, string>): Promise<RawStatus> {
  const stream = openStream(path, headers);
  const response = statusOf(stream);
  stream.end(bytes);
  return response;
}

/** Checks that the server still serves another client. */
async function othersAreServed(): Promise<void> {
  const { results } = await other.submit(
    { tenant: '', queue: 'q', items: [item('a')] },
    { timeoutMs: 5_000 },
  );
  expect(results).toHaveLength(1);
}

describe('a server that receives invalid bytes', () => {
  it('answers a message that is not protobuf with BAD_FIELD', async () => {
    for (const path of [submitTask, submitTasks, work]) {
      expect(await send(path, frame(Buffer.from([0xff, 0xff, 0xff])))).toMatchObject({
        code: 3,
        reason: 'BAD_FIELD',
        message: expect.stringContaining('malformed'),
      });
    }
    await othersAreServed();
  });

  it('refuses a message that is too large, whether its bytes arrive or are only announced', async () => {
    for (const path of [submitTask, submitTasks, work]) {
      expect(await send(path, frame(Buffer.alloc(1_200_000)))).toMatchObject({
        code: 8,
        reason: 'TOO_LARGE',
        message: 'The message has 1,200,000 bytes; at most 1,048,576 are taken.',
      });
    }
    expect(await send(submitTask, frame(Buffer.alloc(100), 2 ** 32 - 1))).toMatchObject({ code: 8 });
    await othersAreServed();
  });

  it('serves other clients while a frame is truncated or never ends', async () => {
    for (const path of [submitTask, submitTasks]) {
      expect((await send(path, frame(Buffer.alloc(10), 100))).code).not.toBe(0);
      expect((await send(path, Buffer.from([0, 0]))).code).not.toBe(0);
    }
    expect((await send(work, frame(Buffer.alloc(10), 100))).http).toBe(200);
    const hanging = openStream(submitTask);
    hanging.write(frame(Buffer.alloc(10), 100));
    await othersAreServed();
    hanging.close(constants.NGHTTP2_CANCEL);
    await closed(hanging);
    await othersAreServed();
  });

  it('refuses invalid compression and a decompression bomb with a reason', async () => {
    const gzip = { 'grpc-encoding': 'gzip' };
    const malformed = { code: 3, reason: 'BAD_FIELD', message: expect.stringContaining('malformed') };
    expect(await send(submitTask, frame(Buffer.from('no gzip'), undefined, 1), gzip)).toMatchObject(
      malformed,
    );
    const bomb = frame(gzipSync(Buffer.alloc(50_000_000)), undefined, 1);
    expect(await send(submitTask, bomb, gzip)).toMatchObject({ code: 8, reason: 'TOO_LARGE' });
    const brotli = { 'grpc-encoding': 'br' };
    expect(await send(submitTask, frame(Buffer.alloc(5), undefined, 1), brotli)).toMatchObject({
      code: 12,
      reason: 'NOT_BUILT',
    });
    await othersAreServed();
  });

  it('answers requests with invalid paths or headers with an error status and a reason', async () => {
    for (const path of ['/no.Such/Method', '/', '/%F0%9F%98%80/x', '/__proto__', `/${'x'.repeat(2_000)}`]) {
      expect(await send(path, frame(Buffer.alloc(0)))).toMatchObject({ code: 12, reason: 'NOT_BUILT' });
    }
    expect((await send('/x y', frame(Buffer.alloc(0)))).http).toBeNaN();
    expect((await send(submitTask, frame(Buffer.alloc(0)), { 'content-type': 'text/plain' })).http).toBe(415);
    expect((await send(submitTask, frame(Buffer.alloc(0)), { traceparent: 'nonsense' })).code).toBe(3);
    await othersAreServed();
  });

  it('refuses a grpc-timeout that is no timeout, also one that only contains one', async () => {
    for (const timeout of ['soon', '', '1', '1.5S', '-1S', '999999999S', '1X', '1S1']) {
      const answer = await send(submitTask, frame(Buffer.alloc(0)), { 'grpc-timeout': timeout });
      expect(answer, timeout).toMatchObject({ code: 3, reason: 'BAD_FIELD' });
      expect(answer.message).toContain('grpc-timeout');
    }
  });

  it('takes a grpc-timeout of years, which a timer cannot have, for a long one', async () => {
    for (const timeout of ['2592000S', '99999999H', '35792M', '99999999S']) {
      const headers = { 'grpc-timeout': timeout };
      // The call is refused for its empty request, and not because its time is over.
      const answer = await send('/holdfast.v1.TaskService/GetTask', frame(Buffer.alloc(0)), headers);
      expect(answer, timeout).toMatchObject({ code: 3, reason: 'BAD_FIELD' });
      expect(answer.message).toContain('id: is missing');
    }
  });

  it('ends a call whose deadline passes with the reason TIMED_OUT', async () => {
    const stream = openStream(submitTask, { 'grpc-timeout': '10m' });
    stream.once('response', () => stream.end());
    expect(await statusOf(stream)).toMatchObject({ code: 4, reason: 'TIMED_OUT' });
  });

  it('refuses a call with no message or several where the method takes one', async () => {
    const message = frame(Buffer.alloc(0));
    for (const bytes of [Buffer.alloc(0), Buffer.concat([message, message])]) {
      for (const path of [submitTask, submitTasks, '/holdfast.v1.TaskService/WatchTasks']) {
        expect(await send(path, bytes)).toMatchObject({ code: 3, reason: 'BAD_FIELD' });
      }
    }
  });

  it('survives random bytes on every method', async () => {
    const paths = services.flatMap((service) =>
      service.methods.map((method) => `/${service.typeName}/${method.name}`),
    );
    paths.push('/grpc.health.v1.Health/Check', '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.uint8Array({ maxLength: 64 }),
        fc.boolean(),
        async (path, bytes, framed) => {
          const stream = openStream(path, { 'grpc-timeout': '100m' });
          const response = statusOf(stream);
          stream.end(framed ? frame(bytes) : bytes);
          expect((await response).http).toBe(200);
        },
      ),
      { numRuns: 150, seed: 7 },
    );
    await othersAreServed();
  });

  it('closes connections that do not use HTTP/2', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'nonsense\0\0', '']) {
      const socket = connectPlain(Number(served.address.split(':')[1]), '127.0.0.1');
      socket.on('error', () => {});
      socket.end(bytes);
      socket.resume();
      await closed(socket);
    }
    await othersAreServed();
  });
});

describe('a client that stops reading its stream', () => {
  it('has its stream reset if it does not even read the SLOW_READER status', async () => {
    const stream = openStream(work, { traceparent: 'flood' });
    stream.pause();
    await othersAreServed();
    await closed(stream);
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await othersAreServed();
  });

  it('receives the status SLOW_READER if it reads again in time', async () => {
    const stream = openStream(work, { traceparent: 'flood' });
    stream.pause();
    await new Promise((resolve) => stream.once('response', resolve));
    expect(await statusOf(stream)).toMatchObject({ code: 8, reason: 'SLOW_READER' });
  });

  it('has its WatchTasks stream cut after 60 s, and until then the server buffers no more messages for it', async () => {
    const stream = openStream('/holdfast.v1.TaskService/WatchTasks', { traceparent: 'flood' });
    stream.end(frame(Buffer.alloc(0)));
    stream.pause();
    await closed(stream);
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await othersAreServed();
  });
});

describe('a TLS port', () => {
  it('logs the peer and the reason of a failed handshake', async () => {
    await using secured = await startListeningNode();
    const socket = connectPlain(Number(secured.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => {});
    socket.end('GET / HTTP/1.1\r\n\r\n');
    socket.resume();
    await closed(socket);
    await expect
      .poll(() => secured.lines)
      .toContainEqual(
        expect.objectContaining({
          level: 'warn',
          listener: 'grpc',
          peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
          reason: expect.stringContaining('ERR_SSL'),
        }),
      );
  });
});
