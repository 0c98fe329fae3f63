import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type AttemptContext, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { startClientServer } from './client-server.ts';
import { failureOf, job, working } from './working.ts';

describe('a handler', () => {
  it('gets the data of its task and attempt in its context', async () => {
    let seen: Partial<AttemptContext> = {};
    const { client, until, clock } = await working([
      handle(job, (_input, context) => {
        const {
          id,
          type,
          queue,
          attempt,
          maxAttempts,
          idempotencyKey,
          fencingToken,
          tags,
          deadline,
          traceparent,
        } = context;
        seen = {
          id,
          type,
          queue,
          attempt,
          maxAttempts,
          idempotencyKey,
          fencingToken,
          tags,
          deadline,
          traceparent,
        };
        return { twice: 0 };
      }),
    ]);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03';
    const task = await client.submit(job, { n: 1 }, { idempotencyKey: 'k', tags: ['t'], traceparent });
    await until(task.result());
    expect(seen).toMatchObject({
      id: task.id,
      type: 'job',
      queue: 'default',
      attempt: 1,
      maxAttempts: 5,
      idempotencyKey: 'k',
      tags: ['t'],
      traceparent,
    });
    expect(seen.fencingToken).toBeGreaterThan(0);
    expect(Math.abs((seen.deadline?.getTime() ?? 0) - clock.now() - 300_000)).toBeLessThan(1_000);
  });

  it('is not called for an input that does not fit its contract; the task becomes dead with CONTRACT_MISMATCH', async () => {
    const theirs = defineTask('job', { input: typed<{ m: string }>() });
    const ours = defineTask('job', { input: z.object({ n: z.number() }) });
    let called = false;
    const { client, until } = await working([
      handle(ours, () => {
        called = true;
      }),
    ]);
    const task = await client.submit(theirs, { m: 'x' });
    const failure = await until(failureOf(task.result()));
    expect(failure.lastError).toMatch(/^CONTRACT_MISMATCH: .*version 1.*n: /);
    expect([called, failure.attempts, (await task.status()).deadReason]).toEqual([false, 1, 'fatal']);
  });

  it('runs inside the middleware, which gets the result of the handler', async () => {
    const seen: string[] = [];
    const { client, until } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))], {
      use: [
        async (context, next) => {
          seen.push(`outer ${context.type}`);
          const result = await next();
          seen.push(JSON.stringify(result));
          return result;
        },
        async (_context, next) => {
          seen.push('inner');
          return next();
        },
      ],
    });
    await until((await client.submit(job, { n: 2 })).result());
    expect(seen).toEqual(['outer job', 'inner', '{"twice":4}']);
  });

  it('submits a child task only once, even if several attempts submit it', async () => {
    const parent = defineTask('parent', { input: typed<{ n: number }>(), output: typed<string>() });
    const child = defineTask('child', { input: typed<{ a: number; b: number }>() });
    const { client, until } = await working([
      handle(parent, async (_input, context) => {
        const { attempt } = context;
        const input = attempt === 1 ? { a: 1, b: 2 } : { b: 2, a: 1 };
        const { id } = await context.submit(child, input);
        if (attempt < 3) throw new Error('after the child');
        return id;
      }),
      handle(child, () => {}),
    ]);
    const task = await client.submit(parent, { n: 1 });
    const childId = await until(task.result());
    const children = (await client.list({ type: 'child' })).tasks;
    expect(children).toMatchObject([{ id: childId, parentId: task.id }]);
    expect(children[0]?.idempotencyKey).toMatch(/^child\//);
  });

  it('can submit a child task whose input has half a surrogate pair, but no child task whose input is not JSON', async () => {
    const parent = defineTask('parent', { input: typed<null>(), output: typed<string>() });
    const child = defineTask('child', { input: typed<{ text: string }>() });
    const { client, until } = await working([
      handle(parent, async (_input, context) => {
        const half = await context.submit(child, { text: '\ud83d' });
        const again = await context.submit(child, { text: '\ud83d' });
        const refused = await context
          .submit(child, { text: Number.NaN } as never)
          .catch((error) => error.reason);
        return `${half.id === again.id} ${refused}`;
      }),
    ]);
    expect(await until((await client.submit(parent, null)).result())).toBe('true BAD_JSON');
  });

  it('reports its progress at most once a second, and the last report wins', async () => {
    const it = await startClientServer();
    await it.client.work(
      defineWorker({
        handlers: [
          handle(job, async (_input, context) => {
            for (let i = 1; i <= 20; i++) {
              context.progress(i / 20, `step ${i}`);
              await it.clock.sleep(100);
            }
            await it.clock.sleep(60_000);
            return { twice: 0 };
          }),
        ],
      }),
    );
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(5_000);
    expect((await task.status()).progress).toEqual({ fraction: 1, note: 'step 20' });
    const beats = it.transport.sent.filter(({ kind }) => kind === 'heartbeats').length;
    expect(beats).toBeGreaterThan(1);
    expect(beats).toBeLessThan(5);
  });
});
