import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { connect, HoldfastError } from '../../src/index.ts';
import { fetchHandler } from '../../src/web/index.ts';
import { greet, kinds, secret, served } from './served.ts';

describe.each(kinds)('holdfast/web on %s', (kind) => {
  it('accepts a task with 202, its id and its location, and answers a repeat with the same task', async () => {
    await using web = await served(kind);
    const first = await web.post({ name: 'Ada' }, { 'idempotency-key': '"order-7"' });
    const { id } = first.body;
    expect(first).toMatchObject({
      status: 202,
      body: { id, deduplicated: false, url: `/tasks/${id}`, eventsUrl: `/tasks/${id}/events` },
    });
    expect(first.headers.get('location')).toBe(`/tasks/${id}`);
    expect(await web.client.get(id)).toMatchObject({ idempotencyKey: 'order-7', input: { name: 'Ada' } });
    const again = await web.post({ name: 'Ada' }, { 'idempotency-key': 'order-7' });
    expect(again).toMatchObject({ status: 202, body: { id, deduplicated: true } });
  });

  it('refuses another payload under the same key with 409 and the id of the existing task', async () => {
    await using web = await served(kind);
    const { body } = await web.post({ name: 'Ada' }, { 'idempotency-key': 'k' });
    const refused = await web.post({ name: 'Eve' }, { 'idempotency-key': 'k' });
    expect(refused).toMatchObject({
      status: 409,
      body: { title: 'Conflict', status: 409, reason: 'KEY_REUSED', taskId: body.id },
    });
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
  });

  it('shows a task and its result, but neither its input nor the texts of errors', async () => {
    await using web = await served(kind);
    const { body } = await web.post({ name: 'flaky' });
    await web.client.task(body.id).result();
    const { status, body: task } = await web.get(body.url);
    expect(status).toBe(200);
    expect(task).toMatchObject({ id: body.id, state: 'succeeded', attempt: 2, result: 'Hello, flaky!' });
    for (const name of ['input', 'lastError', 'worker', 'idempotencyKey', 'tags', 'queue'])
      expect(task).not.toHaveProperty(name);
  });

  it('refuses a body that is too large without reading it whole', async () => {
    await using web = await served(kind, { maxBodyBytes: 1_000 });
    const declared = await web.post({ name: 'x'.repeat(2_000) });
    expect(declared).toMatchObject({ status: 413, body: { reason: 'TOO_LARGE' } });
    // The body has no announced length and never ends.
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const open = request(`${web.url}/tasks/greet`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      });
      open.on('response', ({ statusCode }) => {
        open.destroy();
        resolve(statusCode);
      });
      open.on('error', reject);
      open.write('x'.repeat(1_001));
    });
    expect(answer).toBe(413);
  });

  it.each([
    ['no JSON', '{"name":', {}, 400, 'BAD_JSON'],
    ['another type', 'name=Ada', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'BAD_FIELD'],
    ['a compressed body', '{}', { 'content-encoding': 'gzip' }, 415, 'BAD_FIELD'],
    ['an empty key', '{"name":"Ada"}', { 'idempotency-key': '""' }, 400, 'BAD_FIELD'],
    ['a long key', '{"name":"Ada"}', { 'idempotency-key': 'k'.repeat(256) }, 400, 'BAD_FIELD'],
  ])('refuses %s with a problem document', async (_what, body, headers, status, reason) => {
    await using web = await served(kind);
    expect(await web.post(body, headers)).toMatchObject({
      status,
      body: { status, reason, detail: expect.any(String) },
    });
  });

  it('names the fields of an input that does not fit the task type', async () => {
    await using web = await served(kind);
    expect(await web.post({ name: 7 })).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'name', detail: 'must be a string' }] },
    });
  });

  it('knows neither other task types, nor other paths, nor other methods', async () => {
    await using web = await served(kind);
    expect((await web.post(null, {}, '/tasks/secret')).status).toBe(404);
    const hidden = await web.client.submit(secret, null);
    expect((await web.get(`/tasks/${hidden.id}`)).body).toMatchObject({ reason: 'TASK_NOT_FOUND' });
    expect((await web.get(`/tasks/${hidden.id}/events`)).status).toBe(404);
    expect((await web.get('/tasks/no%20id')).body).toMatchObject({ reason: 'TASK_NOT_FOUND' });
    expect((await web.get('/tasks/a/b')).status).toBe(404);
    const answer = await fetch(`${web.url}/tasks/greet`, { method: 'DELETE' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });
});

describe('authorize', () => {
  it('refuses a call with 403, or by an answer of its own, before its body is read', async () => {
    const actions: string[] = [];
    await using web = await served('node:http', {
      authorize: (request, call) => {
        actions.push(call.action);
        if (request.headers.get('authorization') === 'known') return false;
        return new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer' } });
      },
    });
    expect((await web.post('{', { authorization: 'known' })).body).toMatchObject({
      status: 403,
      reason: 'DENIED',
    });
    const stranger = await web.get('/tasks/1-a/events');
    expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(actions).toEqual(['submit', 'watch']);
  });

  it('gives the queue, and the caller reads the tasks of no other queue', async () => {
    await using web = await served('node:http', { authorize: () => ({ queue: 'slow-lane' }) });
    const { body } = await web.post({ name: 'Ada' });
    expect(await web.client.get(body.id)).toMatchObject({ queue: 'slow-lane' });
    expect((await web.get(body.url)).status).toBe(200);
    const other = await web.client.submit(greet, { name: 'Eve' });
    expect((await web.get(`/tasks/${other.id}`)).status).toBe(404);
  });

  it('gives the owner, whose keys and tasks are apart from those of others', async () => {
    await using web = await served('node:http', {
      authorize: (request) => ({ owner: request.headers.get('x-user') ?? '' }),
    });
    const key = { 'idempotency-key': 'k' };
    const ada = await web.post({ name: 'Ada' }, { ...key, 'x-user': 'ada' });
    const eve = await web.post({ name: 'Eve' }, { ...key, 'x-user': 'eve' });
    expect([ada.status, eve.status]).toEqual([202, 202]);
    expect((await web.get(ada.body.url, { 'x-user': 'ada' })).status).toBe(200);
    expect((await web.get(ada.body.url, { 'x-user': 'eve' })).status).toBe(404);
    expect((await web.get(ada.body.eventsUrl, { 'x-user': 'eve' })).status).toBe(404);
  });

  it('gives the tenant, for which the handler has a client', async () => {
    await using acme = connect('memory:', { tenant: 'acme' });
    const handler = fetchHandler(() => acme, { tasks: [greet], authorize: () => ({ tenant: 'acme' }) });
    const answer = await handler(
      new Request('http://app/tasks/greet', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"name":"Ada"}',
      }),
    );
    const { id } = (await answer.json()) as { id: string };
    expect(await acme.get(id)).toMatchObject({ tenant: 'acme' });
  });

  it('is answered with 500 if it throws, and the error is for the server alone', async () => {
    const errors: unknown[] = [];
    await using web = await served('node:http', {
      authorize: () => {
        throw new Error('no session store at 10.0.0.7');
      },
      onError: (error) => errors.push(error),
    });
    const { status, body } = await web.get('/tasks/1-a');
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('10.0.0.7');
    expect(errors).toMatchObject([{ message: 'no session store at 10.0.0.7' }]);
  });
});

it('an overloaded store is answered with 503 and the time after which to try again', async () => {
  const busy = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'Too much work waits.', {
    retryAfterMs: 2_500,
  });
  await using web = await served('node:http', {
    wrap: (client) => ({ ...client, submit: () => Promise.reject(busy) }),
  });
  const { status, headers, body } = await web.post({ name: 'Ada' });
  expect([status, headers.get('retry-after'), body.reason]).toEqual([503, '3', 'STORE_BUSY']);
});

it('options that are out of range are refused when the handler is made', async () => {
  await using client = connect('memory:');
  const made = (more: object) => () =>
    fetchHandler(client, { tasks: [greet], authorize: () => true, ...more });
  expect(made({ authorize: undefined })).toThrow('authorize');
  expect(made({ tasks: ['greet'] })).toThrow('tasks');
  expect(made({ maxBodyBytes: 300_000 })).toThrow('maxBodyBytes');
  expect(made({ basePath: 'tasks/' })).toThrow('base path');
  expect(made({ keepAlive: 'soon' })).toThrow('keepAlive');
});
