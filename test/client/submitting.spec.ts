import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTask, HoldfastError, typed } from '../../src/index.ts';
import { startClientServer } from './client-server.ts';

const note = defineTask('note', { input: typed<{ text: string }>() });
const keyed = defineTask('keyed', {
  input: z.object({ id: z.string(), copies: z.number().default(1) }),
  queue: 'billing',
  idempotencyKey: ({ id }) => `keyed/${id}`,
});

async function errorOf(promise: Promise<unknown>): Promise<HoldfastError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof HoldfastError) return thrown;
  throw new Error(`no HoldfastError was thrown, but ${String(thrown)}`);
}

describe('a submission', () => {
  it('returns the id and state of a task that can be read at once', async () => {
    const { client } = await startClientServer();
    const task = await client.submit(note, { text: 'a' }, { tags: ['eu'], priority: 'high' });
    expect(task).toMatchObject({ deduplicated: false, state: 'ready' });
    const status = await task.status();
    expect(status).toMatchObject({
      id: task.id,
      type: 'note',
      queue: 'default',
      state: 'ready',
      tags: ['eu'],
      priority: 'high',
      input: { text: 'a' },
      attempt: 0,
      maxAttempts: 5,
    });
  });

  it("with the same key and an equal input returns the existing task, whatever the order of the input's fields", async () => {
    const { client } = await startClientServer();
    const pair = defineTask('pair', { input: typed<{ a: number; b: number }>() });
    const first = await client.submit(pair, { a: 1, b: 2 }, { idempotencyKey: 'k' });
    const second = await client.submit(pair, { b: 2, a: 1 }, { idempotencyKey: 'k', delay: '1h' });
    expect(second).toMatchObject({ id: first.id, deduplicated: true, state: 'ready' });
  });

  it('with the key of a task with another input is refused, and the error names that task', async () => {
    const { client } = await startClientServer();
    const first = await client.submit(note, { text: 'a' }, { idempotencyKey: 'k' });
    const error = await errorOf(client.submit(note, { text: 'b' }, { idempotencyKey: 'k' }));
    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'KEY_REUSED', taskId: first.id });
    expect(error.help).toMatch(/key/);
  });

  it("takes its key and queue from the task type, but a key of the caller's takes precedence", async () => {
    const { client } = await startClientServer();
    const task = await client.submit(keyed, { id: '7' });
    expect(await task.status()).toMatchObject({ idempotencyKey: 'keyed/7', queue: 'billing' });
    expect(await client.submit(keyed, { id: '7' })).toMatchObject({ id: task.id, deduplicated: true });
    const own = await client.submit(keyed, { id: '7' }, { idempotencyKey: 'mine' });
    expect(own.id).not.toBe(task.id);
    expect(await client.getByKey('mine', { queue: 'billing' })).toMatchObject({ id: own.id });
  });

  it('sends the input without the defaults of its schema', async () => {
    const { client } = await startClientServer();
    const task = await client.submit(keyed, { id: '8' });
    expect((await task.status()).input).toEqual({ id: '8' });
  });

  it('without a key creates a new task each time', async () => {
    const { client } = await startClientServer();
    const [a, b] = await Promise.all([
      client.submit(note, { text: 'a' }),
      client.submit(note, { text: 'a' }),
    ]);
    expect(a.id).not.toBe(b.id);
  });

  it('with an input that does not fit the task type is not sent, and the error names every wrong field', async () => {
    const { client, transport } = await startClientServer();
    const error = await errorOf(client.submit(keyed, { id: 7, copies: 'x' } as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
    expect(error.violations.map((violation) => violation.field)).toEqual(['id', 'copies']);
    expect(transport.batches).toEqual([]);
  });

  it.each([
    ['a Date', { text: new Date(0) }, /'text'.*Date/],
    ['a nested bigint', { text: [{ n: 1n }] }, /'text\[0\]\.n'.*bigint/],
    ['a Map', { text: new Map() }, /Map/],
    ['NaN', { text: Number.NaN }, /NaN/],
    ['undefined in an array', { text: [undefined] }, /undefined/],
  ])('with an input that contains %s is refused before it is sent', async (_name, input, message) => {
    const { client, transport } = await startClientServer();
    const error = await errorOf(client.submit(note, input as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_JSON' });
    expect(error.message).toMatch(message);
    expect(transport.batches).toEqual([]);
  });

  it('with a circular input is refused, and a submission whose input holds the same object twice is accepted', async () => {
    const { client } = await startClientServer();
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(await errorOf(client.submit(note, circular as never))).toMatchObject({ reason: 'BAD_JSON' });
    const shared = { text: 'x' };
    await client.submit(defineTask('two', { input: typed<{ a: object; b: object }>() }), {
      a: shared,
      b: shared,
    });
  });

  it('with an input of more than 256 KiB is refused before it is sent', async () => {
    const { client } = await startClientServer();
    const error = await errorOf(client.submit(note, { text: 'x'.repeat(262_144) }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'TOO_LARGE' });
  });

  it.each([
    ['a malformed delay', { delay: '10 minutes' }, 'delay'],
    ['nine tags', { tags: Array.from({ length: 9 }, String) }, 'tags'],
    ['an empty key', { idempotencyKey: '' }, 'idempotencyKey'],
    ['a key of 256 characters', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey'],
    ['both a delay and a `runAt` time', { delay: '1s', runAt: new Date() }, 'delay'],
    ['an invalid date', { deadline: new Date('x') }, 'deadline'],
  ])('with %s is refused with an error that names the field', async (_name, options, field) => {
    const { client } = await startClientServer();
    const error = await errorOf(client.submit(note, { text: '' }, options as never));
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
  });

  it('whose answer was lost is sent again with its key and creates only one task', async () => {
    const { client, transport, until } = await startClientServer();
    transport.answersToLose = 2;
    const task = await until(client.submit(note, { text: 'a' }));
    expect(task.deduplicated).toBe(true);
    expect(transport.batches).toEqual([1, 1, 1]);
    expect((await client.list()).tasks.map(({ id }) => id)).toEqual([task.id]);
  });

  it('is retried until an unreachable server is back, within the time of retryFor', async () => {
    const { client, transport, advance, lines } = await startClientServer();
    transport.unreachable = true;
    const submitted = client.submit(note, { text: 'a' });
    await advance(9_000);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'the test broke the connection Trying again for up to 30 s.'],
    ]);
    transport.unreachable = false;
    await advance(6_000);
    expect(await submitted).toMatchObject({ deduplicated: false });
  });

  it('fails with UNREACHABLE once the time of retryFor is over', async () => {
    const { client, transport, clock, until } = await startClientServer({ retryFor: '3s' });
    transport.unreachable = true;
    const beganMs = clock.now();
    expect(await until(errorOf(client.submit(note, { text: 'a' })))).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'UNREACHABLE',
    });
    expect(clock.now() - beganMs).toBeGreaterThanOrEqual(3_000);
    expect(clock.now() - beganMs).toBeLessThan(10_000);
  });
});

describe('submissions in one turn of the event loop', () => {
  it('are sent as batches of at most 100 submissions, and each submission gets an answer of its own', async () => {
    const { client, transport } = await startClientServer();
    const tasks = await Promise.all(
      Array.from({ length: 250 }, (_, i) => client.submit(note, { text: `${i}` })),
    );
    expect(new Set(tasks.map((task) => task.id)).size).toBe(250);
    expect(transport.batches).toEqual([100, 100, 50]);
  });

  it('are sent as batches of less than 1 MiB', async () => {
    const { client, transport } = await startClientServer();
    const text = 'x'.repeat(200_000);
    await Promise.all(Array.from({ length: 10 }, () => client.submit(note, { text })));
    expect(transport.batches).toEqual([5, 5]);
  });

  it('to different queues are sent as separate batches', async () => {
    const { client, transport } = await startClientServer();
    await Promise.all(['a', 'b', 'a'].map((queue) => client.submit(note, { text: '' }, { queue })));
    expect(transport.batches.toSorted()).toEqual([1, 2]);
  });

  it('fail individually, without failing the others of their batch', async () => {
    const { client } = await startClientServer();
    await client.submit(note, { text: 'other' }, { idempotencyKey: 'taken' });
    const outcomes = await client.submitMany(note, [
      { input: { text: 'a' } },
      { input: { text: 1 as never }, idempotencyKey: 'taken' },
      { input: { text: 'b' }, tags: ['x'.repeat(65)] },
      { input: { text: 'c' }, priority: 'high' },
    ]);
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.reason))).toEqual([
      'ok',
      'KEY_REUSED',
      'BAD_FIELD',
      'ok',
    ]);
  });

  it('create tasks that can be listed by page, by state and by tag', async () => {
    const { client } = await startClientServer();
    await client.submitMany(note, [
      ...Array.from({ length: 5 }, (_, i) => ({ input: { text: `${i}` } })),
      { input: { text: 'late' }, delay: '1h' as const, tags: ['slow'] },
    ]);
    const first = await client.list({ limit: 4 });
    const second = await client.list({
      limit: 4,
      ...(first.nextPageToken !== undefined && { pageToken: first.nextPageToken }),
    });
    expect([first.tasks.length, second.tasks.length, second.nextPageToken]).toEqual([4, 2, undefined]);
    expect((await client.list({ state: 'scheduled' })).tasks).toHaveLength(1);
    expect((await client.list({ tag: 'slow' })).tasks[0]).toMatchObject({
      state: 'scheduled',
      tags: ['slow'],
    });
  });
});

describe('a closed client', () => {
  it('rejects every call with code CANCELLED', async () => {
    const { client } = await startClientServer();
    await client.close();
    expect(await errorOf(client.submit(note, { text: '' }))).toMatchObject({
      code: 'CANCELLED',
      reason: 'ABANDONED',
    });
    expect(await errorOf(client.get('1.x'))).toMatchObject({ code: 'CANCELLED' });
  });
});
