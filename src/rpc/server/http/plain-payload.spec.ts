import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ListeningNode, startListeningNode } from '../../../../test/fixtures/listening-node.ts';

let served: ListeningNode;
beforeAll(async () => {
  served = await startListeningNode({ plaintext: true });
});
afterAll(() => served[Symbol.asyncDispose]());

async function post(call: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${served.listening.httpPort}/holdfast.v1.${call}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : Buffer.from(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the fields that it expects
  return { status: answer.status, body: (await answer.json()) as any };
}

const item = (key: string, payload: string) =>
  `{"idempotencyKey":"${key}","spec":{"type":"t","typeVersion":1,"payload":${payload}}}`;
const submission = (key: string, payload: string) => `{"queue":"q","item":${item(key, payload)}}`;

async function storedPayload(id: string): Promise<{ contentType: string; text: string }> {
  const { body } = await post('TaskService/GetTask', JSON.stringify({ id, view: 'TASK_VIEW_FULL' }));
  const { contentType, bytes } = body.task.spec.payload;
  return { contentType, text: Buffer.from(bytes, 'base64').toString() };
}

it.each([
  [
    'an object',
    '{ "name": "Ada", "json": [1, "é \\u0001", null] }',
    '{"name":"Ada","json":[1,"é \\u0001",null]}',
  ],
  ['a large number', '9007199254740993', '9007199254740993'],
  ['a number with an exponent', '{"a":1.0e400}', '{"a":1.0e400}'],
  ['null', 'null', 'null'],
  ['a field named __proto__', '{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}'],
])('a payload as plain JSON is stored as its JSON text: %s', async (name, json, text) => {
  const { status, body } = await post('TaskService/SubmitTask', submission(name, `{"json":${json}}`));
  expect(status).toBe(200);
  expect(await storedPayload(body.task.id)).toEqual({ contentType: 'application/json', text });
});

it('a payload as plain JSON and the same payload as bytes are one request', async () => {
  const plain = await post('TaskService/SubmitTask', submission('same', '{"json":{"a":1}}'));
  const bytes = `{"contentType":"application/json","bytes":"${btoa('{"a":1}')}"}`;
  const again = await post('TaskService/SubmitTask', submission('same', bytes));
  expect(again.body).toMatchObject({ deduplicated: true, task: { id: plain.body.task.id } });
  expect((await post('TaskService/SubmitTask', submission('same', '{"json":{"a":2}}'))).status).toBe(409);
});

it('each item of a batch may have its payload as plain JSON', async () => {
  const items = `[${item('b1', '{"json":1}')},${item('b2', '{"json":{"a":[]}}')}]`;
  const { body } = await post('TaskService/SubmitTasks', `{"queue":"q","items":${items}}`);
  expect(body.results).toMatchObject([{ id: expect.any(String) }, { id: expect.any(String) }]);
  expect(await storedPayload(body.results[1].id)).toMatchObject({ text: '{"a":[]}' });
});

it('a payload with plain JSON and another field is refused by its place', async () => {
  const { status, body } = await post(
    'TaskService/SubmitTasks',
    `{"queue":"q","items":[${item('c', '{"json":1,"bytes":"MQ=="}')}]}`,
  );
  expect(status).toBe(400);
  expect(body.message).toContain("items[0].spec.payload: has 'json' and 'bytes'");
});

it('plain JSON is refused outside of a payload, in a compressed body and where it is no JSON', async () => {
  const unknown = await post('TaskService/SubmitTask', '{"queue":"q","json":1}');
  expect(unknown).toMatchObject({ status: 400, body: { message: expect.stringContaining('json') } });
  const packed = gzipSync(submission('z', '{"json":1}'));
  expect(await post('TaskService/SubmitTask', packed, { 'content-encoding': 'gzip' })).toMatchObject({
    status: 400,
  });
  expect(await post('TaskService/SubmitTask', submission('n', '{"json":}'))).toMatchObject({ status: 400 });
});

it('plain JSON that is nested too deeply is refused, and the server goes on', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const refused = await post('TaskService/SubmitTask', submission('deep', `{"json":${deep}}`));
  expect(refused).toMatchObject({ status: 400 });
  expect((await post('TaskService/SubmitTask', submission('shallow', '{"json":[]}'))).status).toBe(200);
});

it('a payload as plain JSON has the same limit as bytes', async () => {
  const large = JSON.stringify('x'.repeat(256 * 1_024));
  const { body } = await post('TaskService/SubmitTask', submission('large', `{"json":${large}}`));
  expect(body.details.map(({ debug }: { debug?: { reason?: string } }) => debug?.reason)).toContain(
    'TOO_LARGE',
  );
});
