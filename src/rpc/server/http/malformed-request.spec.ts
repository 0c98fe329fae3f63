import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListeningNode, startListeningNode } from '../../../../test/fixtures/listening-node.ts';

let served: ListeningNode;
beforeAll(async () => {
  served = await startListeningNode({
    plaintext: true,
    wrap: (api) => ({ ...api, call: () => Promise.reject(new Error('a defect')) }),
  });
});
afterAll(() => served[Symbol.asyncDispose]());

function envelope(bytes: Uint8Array, flag = 0): Uint8Array {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

async function post(method: string, body: Uint8Array, headers: Record<string, string>) {
  const url = `http://127.0.0.1:${served.listening.httpPort}/holdfast.v1.TaskService/${method}`;
  const answer = await fetch(url, { method: 'POST', headers, body: Buffer.from(body) });
  return { status: answer.status, text: await answer.text() };
}

const garbage: readonly (readonly [string, Uint8Array])[] = [
  ['no tag', Uint8Array.of(0xff, 0xff, 0xff, 1, 2, 3)],
  ['a cut field', Uint8Array.of(0x0a, 0x50)],
  ['a text that is no UTF-8', Uint8Array.of(0x0a, 2, 0xff, 0xfe)],
  ['groups without an end', new Uint8Array(50_000).fill(0x0b)],
  ['JSON', new TextEncoder().encode('[1, 2')],
];
const unary = ['application/proto', 'application/json', 'application/json; charset=utf-8'];
const streamed = ['application/connect+proto', 'application/connect+json'];

describe.each(garbage)('a body over HTTP with %s', (_name, bytes) => {
  it.each(unary)('is refused with status 400 as %s, compressed or not', async (type) => {
    for (const method of ['SubmitTask', 'SubmitTasks', 'GetTask', 'ListTasks']) {
      const headers = { 'content-type': type };
      const packed = { ...headers, 'content-encoding': 'gzip' };
      for (const answer of [
        await post(method, bytes, headers),
        await post(method, gzipSync(bytes), packed),
      ]) {
        expect(answer).toMatchObject({
          status: 400,
          text: expect.stringContaining('"code":"invalid_argument"'),
        });
      }
    }
  });

  it.each(['gzip', 'br'])('is refused with status 400 if its content-encoding says %s', async (encoding) => {
    const headers = { 'content-type': 'application/proto', 'content-encoding': encoding };
    expect(await post('GetTask', bytes, headers)).toMatchObject({ status: 400 });
  });

  it.each(streamed)('ends a stream of %s with invalid_argument', async (type) => {
    for (const body of [envelope(bytes), bytes, envelope(bytes, 1)]) {
      const { text } = await post('WatchTasks', body, { 'content-type': type });
      expect(text).toMatch(/"code":"(invalid_argument|resource_exhausted)"/);
    }
  });
});

it('a body over HTTP that is no message is refused with the reason BAD_FIELD and what is wrong', async () => {
  const { text } = await post('GetTask', Uint8Array.of(0xff, 0xff, 1), {
    'content-type': 'application/proto',
  });
  expect(JSON.parse(text)).toMatchObject({
    message: expect.stringMatching(/^The request is malformed: parse binary: /),
    details: expect.arrayContaining([
      expect.objectContaining({ debug: expect.objectContaining({ reason: 'BAD_FIELD' }) }),
    ]),
  });
});

it('a defect of the server behind a readable body is still answered with status 500', async () => {
  const plain = { 'content-type': 'application/proto' };
  expect(await post('GetTask', new Uint8Array(), plain)).toMatchObject({ status: 500 });
  const packed = { ...plain, 'content-encoding': 'br' };
  expect(await post('GetTask', brotliCompressSync(Uint8Array.of(0x0a, 1, 0x61)), packed)).toMatchObject({
    status: 500,
  });
});
