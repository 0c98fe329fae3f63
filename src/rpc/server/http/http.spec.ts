import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListeningNode, startListeningNode } from '../../../../test/fixtures/listening-node.ts';
import type { CertificateFiles } from '../../../tls/load.ts';
import type { CallContext } from '../../api/api.ts';

/** The context of the latest call to the server without TLS. */
let last: CallContext;
let plain: ListeningNode;
let secured: ListeningNode;
let alice: CertificateFiles;
beforeAll(async () => {
  plain = await startListeningNode({
    plaintext: true,
    origins: ['https://app.example'],
    wrap: (api) => ({
      ...api,
      call(method, request, context) {
        last = context;
        return api.call(method, request, context);
      },
    }),
  });
  secured = await startListeningNode();
  alice = await secured.authority.issue('alice', 'client');
});
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await secured[Symbol.asyncDispose]();
});

const service = '/holdfast.v1.TaskService/';
const payload = { contentType: 'application/json', bytes: btoa('{"a":1}') };
const submission = (key: string, more = payload) => ({
  queue: 'q',
  item: { idempotencyKey: key, spec: { type: 'note', payload: more } },
});

async function post(call: string, body: unknown, headers: Record<string, string> = {}) {
  const url = `http://127.0.0.1:${plain.listening.httpPort}${call.startsWith('/') ? call : service + call}`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
}

const reasonOf = (body: { details?: { debug?: { reason?: string } }[] }) =>
  body.details?.map(({ debug }) => debug?.reason).find((reason) => reason !== undefined);

describe('JSON over HTTP', () => {
  it('submits and reads a task, and reports a duplicate submission', async () => {
    const first = await post('SubmitTask', submission('a'));
    expect(first).toMatchObject({ status: 200, body: { task: { state: 'TASK_STATE_READY', queue: 'q' } } });
    const { id } = first.body.task;
    expect((await post('SubmitTask', submission('a'))).body).toMatchObject({
      deduplicated: true,
      task: { id },
    });
    expect((await post('GetTask', { id })).body.task.idempotencyKey).toBe('a');
  });

  it('refuses a used idempotency key with another payload with status 409 and the id of the existing task', async () => {
    const { body } = await post('SubmitTask', submission('b'));
    const refused = await post('SubmitTask', submission('b', { ...payload, bytes: btoa('{"a":2}') }));
    expect(refused.status).toBe(409);
    expect(refused.body.code).toBe('already_exists');
    expect(refused.body.details[0].debug).toMatchObject({
      reason: 'KEY_REUSED',
      domain: 'holdfast.dev',
      metadata: { task_id: body.task.id },
    });
  });

  it('serves SubmitTasks with one result per item', async () => {
    const items = [submission('c').item, submission('d'.repeat(256)).item];
    const { status, body } = await post('SubmitTasks', { queue: 'q', items });
    expect(status).toBe(200);
    expect(body.results).toMatchObject([
      { id: expect.stringMatching(/./), state: 'TASK_STATE_READY' },
      { error: { reason: 'BAD_FIELD', violations: [{ field: 'items[1].idempotencyKey' }] } },
    ]);
  });

  it('refuses an invalid request with the names of its invalid fields', async () => {
    const { status, body } = await post('SubmitTask', { queue: 'no good', item: { spec: { type: '' } } });
    expect(status).toBe(400);
    const fields = body.details.flatMap(
      (d: { debug?: { fieldViolations?: { field: string }[] } }) =>
        d.debug?.fieldViolations?.map(({ field }) => field) ?? [],
    );
    expect(fields).toEqual(expect.arrayContaining(['queue']));
  });

  it('refuses a body that is not JSON, not the expected message, or too large', async () => {
    expect(await post('GetTask', '{')).toMatchObject({ status: 400, body: { code: 'invalid_argument' } });
    expect(await post('GetTask', { nonsense: 1 })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('nonsense') },
    });
    expect(await post('GetTask', { id: '\ud800' })).toMatchObject({ status: expect.any(Number) });
    expect(await post('GetTask', { id: 'x'.repeat(3_000_000) })).toMatchObject({
      status: 429,
      body: { code: 'resource_exhausted' },
    });
    expect((await post('GetTask', '{}', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('answers bidirectional streams and unknown paths with UNIMPLEMENTED', async () => {
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from('{}')]);
    const url = `http://127.0.0.1:${plain.listening.httpPort}`;
    for (const method of ['Work', 'Report']) {
      const answer = await fetch(`${url}/holdfast.v1.WorkerService/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/connect+json' },
        body: envelope,
      });
      const text = await answer.text();
      expect(`${answer.status} ${text}`).toMatch(/unimplemented|505/);
    }
    expect(await post('/nothing/Here', {})).toMatchObject({
      status: 501,
      body: { code: 'unimplemented', message: expect.stringContaining("'/nothing/Here'") },
    });
  });

  it('streams the events of a task', async () => {
    const { body } = await post('SubmitTask', submission('w'));
    const json = Buffer.from(JSON.stringify({ id: body.task.id }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(json.length, 1);
    const watching = fetch(`http://127.0.0.1:${plain.listening.httpPort}${service}WatchTask`, {
      method: 'POST',
      headers: { 'content-type': 'application/connect+json' },
      body: Buffer.concat([head, json]),
    });
    await post('CancelTask', { id: body.task.id });
    const text = await (await watching).text();
    expect(text).toContain('EVENT_KIND_SUBMITTED');
    expect(text).toContain('EVENT_KIND_CANCELLED');
    await expect.poll(() => plain.api.openStreams).toBe(0);
  });

  it('refuses web pages of every origin that is not configured', async () => {
    const evil = await post('GetTask', { id: 'x' }, { origin: 'https://evil.example' });
    expect(evil).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    const origin = 'https://app.example';
    const allowed = await post('GetTask', { id: 'x' }, { origin });
    expect(allowed.status).toBe(404);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
    const url = `http://127.0.0.1:${plain.listening.httpPort}${service}GetTask`;
    const preflight = await fetch(url, { method: 'OPTIONS', headers: { origin } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Content-Type');
  });

  it('passes the deadline, the traceparent and the identity to the call', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await post('GetTask', { id: 'x' }, { 'connect-timeout-ms': '5000', traceparent });
    expect(last).toMatchObject({ traceparent, identity: { name: 'local' } });
    expect(Math.abs((last.notAfterMs ?? 0) - plain.clock.monotonic() - 5_000)).toBeLessThan(500);
    await post('GetTask', { id: 'x' });
    expect(last.notAfterMs).toBeUndefined();
  });

  it('answers health checks of callers without an identity', async () => {
    const url = `http://127.0.0.1:${plain.listening.httpPort}/healthz`;
    expect(await (await fetch(url)).text()).toBe('SERVING\n');
    expect((await post('/grpc.health.v1.Health/Check', {})).body).toEqual({ status: 'SERVING' });
    expect((await post('/grpc.health.v1.Health/Check', { service: 'no' })).status).toBe(404);
  });
});

/** Makes a call over HTTP/1.1. */
function overHttp1(
  files: Partial<CertificateFiles>,
  path: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const pem = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
    const call = httpsRequest(
      {
        host: '127.0.0.1',
        port: secured.listening.httpPort,
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        ca: pem(alice.ca),
        cert: pem(files.cert),
        key: pem(files.key),
        agent: false,
      },
      async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        resolve({ status: answer.statusCode ?? 0, body });
      },
    );
    call.on('error', reject);
    call.end('{"id":"x"}');
  });
}

/** Makes a call over HTTP/2. */
async function overHttp2(files: CertificateFiles, path: string): Promise<{ status: number; body: string }> {
  const session = connect(`https://127.0.0.1:${secured.listening.httpPort}`, {
    ca: readFileSync(files.ca),
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
  });
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json' });
  let status = 0;
  let body = '';
  stream.on('response', (headers) => {
    status = Number(headers[':status']);
  });
  stream.end('{"id":"x"}');
  for await (const chunk of stream) body += chunk;
  session.close();
  return { status, body };
}

describe('HTTP with mutual TLS', () => {
  it('serves a caller with a certificate over HTTP/1.1 and HTTP/2', async () => {
    for (const over of [overHttp1, overHttp2]) {
      const { status, body } = await over(alice, `${service}GetTask`);
      expect(status).toBe(404);
      expect(reasonOf(JSON.parse(body))).toBe('TASK_NOT_FOUND');
    }
  });

  it('answers a caller without a certificate with a sentence that says how to get one', async () => {
    const { status, body } = await overHttp1({}, `${service}GetTask`);
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({
      code: 'unauthenticated',
      reason: 'NO_CERTIFICATE',
      message: expect.stringMatching(
        /^The server asks for a client certificate, and none was given\. .*holdfast certs issue/,
      ),
    });
  });

  it('logs refused callers, but no health check of a caller without a certificate', async () => {
    const before = secured.lines.length;
    expect((await overHttp1({}, '/healthz')).status).toBe(200);
    expect((await overHttp1({}, '/grpc.health.v1.Health/Check')).status).not.toBe(401);
    expect(secured.lines.slice(before)).toEqual([]);
    await overHttp1({}, `${service}GetTask`);
    expect(secured.lines.slice(before)).toMatchObject([
      { level: 'warn', reason: 'NO_CERTIFICATE', message: expect.stringContaining('none was given') },
    ]);
  });
});
