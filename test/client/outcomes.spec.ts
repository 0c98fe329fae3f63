import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTask, FatalError, handle, RetryAfter, Snooze, typed } from '../../src/index.ts';
import { failureOf, job, kindsOf, working } from './working.ts';

describe('a handler', () => {
  it('that always throws is retried by the policy, and its task is dead after the last attempt', async () => {
    const retried = defineTask('job', { input: typed<{ n: number }>(), retry: { maxAttempts: 3 } });
    const dead: unknown[] = [];
    const it = await working(
      [
        handle(retried, (_input, { attempt }) => {
          throw new TypeError(`no luck at ${attempt}`);
        }),
      ],
      { onDead: (task) => void dead.push(task) },
    );
    const task = await it.client.submit(retried, { n: 1 });
    const failure = await it.until(failureOf(task.result()));
    expect(failure).toMatchObject({ state: 'dead', attempts: 3, lastError: 'no luck at 3', taskId: task.id });
    expect(failure.deadReason).toBe('attempts');
    expect(failure.help).toContain(`holdfast redrive ${task.id}`);
    expect((await kindsOf(it, task.id)).filter((kind) => kind === 'failed')).toHaveLength(2);
    expect(dead).toMatchObject([
      { id: task.id, type: 'job', attempt: 3, message: 'no luck at 3', errorType: 'TypeError' },
    ]);
    expect((await task.status()).deadReason).toBe('attempts');
  });

  it('that throws causes one log line per failed attempt, a stack at level debug, and one log line for the death of the task', async () => {
    const retried = defineTask('job', { input: typed<{ n: number }>(), retry: { maxAttempts: 2 } });
    const it = await working([
      handle(retried, () => {
        throw new TypeError('no luck');
      }),
    ]);
    const task = await it.client.submit(retried, { n: 1 });
    await it.until(failureOf(task.result()));
    await it.advance(1_000);
    const error = { task_id: task.id, type: 'job', error: 'no luck', error_type: 'TypeError' };
    const at = expect.stringMatching(/^\/.*outcomes\.spec\.ts:\d+:\d+$/);
    const logged = it.lines.filter(({ level }) => level === 'warn' || level === 'error');
    expect(logged).toMatchObject([
      { level: 'warn', message: 'an attempt failed', fields: { ...error, attempt: 1, max_attempts: 2, at } },
      { level: 'warn', message: 'an attempt failed', fields: { ...error, attempt: 2, max_attempts: 2, at } },
      { level: 'error', message: expect.stringContaining(`holdfast redrive ${task.id}`), fields: error },
    ]);
    expect(JSON.stringify(logged)).not.toContain('    at ');
    const [stack] = it.lines.filter(({ level }) => level === 'debug');
    expect(stack?.fields.err).toBeInstanceOf(TypeError);
  });

  it('that throws a FatalError is not retried', async () => {
    const { client, until } = await working([
      handle(job, () => {
        throw new FatalError('never');
      }),
    ]);
    const task = await client.submit(job, { n: 1 });
    expect(await until(failureOf(task.result()))).toMatchObject({
      attempts: 1,
      lastError: 'never',
      deadReason: 'fatal',
      message: `Task ${task.id} is dead (reason: fatal) after 1 attempt: never`,
    });
    expect((await task.status()).deadReason).toBe('fatal');
  });

  it('that throws RetryAfter is retried after exactly the given time, and the attempt counts', async () => {
    const times: number[] = [];
    const { client, until, clock } = await working([
      handle(job, (_input, { attempt }) => {
        times.push(clock.now());
        if (attempt === 1) throw new RetryAfter('7m', new Error('busy'));
        return { twice: attempt };
      }),
    ]);
    expect(await until((await client.submit(job, { n: 1 })).result())).toEqual({ twice: 2 });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(420_000);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeLessThan(425_000);
  });

  it('that throws Snooze runs again later, and the attempt does not count', async () => {
    let runs = 0;
    const it = await working([
      handle(job, (_input, { attempt }) => {
        if (++runs < 8) throw new Snooze('2m');
        return { twice: attempt };
      }),
    ]);
    const task = await it.client.submit(job, { n: 1 });
    expect(await it.until(task.result())).toEqual({ twice: 1 });
    expect((await kindsOf(it, task.id)).filter((kind) => kind === 'snoozed')).toHaveLength(7);
  });

  it("is retried after the time that its task type's backoff function returns", async () => {
    const paced = defineTask('job', {
      input: typed<{ n: number }>(),
      output: typed<string>(),
      retry: { maxAttempts: 3, backoff: (attempt) => `${attempt * 10}m` },
    });
    const times: number[] = [];
    const { client, until, clock } = await working([
      handle(paced, () => {
        times.push(clock.now());
        if (times.length < 3) throw new Error('again');
        return 'done';
      }),
    ]);
    await until((await client.submit(paced, { n: 1 })).result());
    const [a = 0, b = 0, c = 0] = times;
    expect([Math.floor((b - a) / 60_000), Math.floor((c - b) / 60_000)]).toEqual([10, 20]);
  });

  it.each([
    ['undefined', undefined, 'The handler threw undefined.'],
    ['null', null, 'The handler threw null.'],
    ['a string', 'oops', 'The handler threw a string: oops'],
    ['an object', { code: 7 }, 'The handler threw a object: {"code":7}'],
    ['an error without a message', new RangeError(), 'RangeError'],
  ])('that throws %s fails its attempt with a readable message', async (_name, thrown, message) => {
    const once = defineTask('job', { input: typed<{ n: number }>(), retry: { maxAttempts: 1 } });
    const { client, until } = await working([
      handle(once, () => {
        throw thrown;
      }),
    ]);
    const task = await client.submit(once, { n: 1 });
    expect((await until(failureOf(task.result()))).lastError).toBe(message);
  });

  it.each([
    ['a value that does not fit the output schema', () => ({ receipt: 7 }), /receipt/],
    ['nothing', () => undefined, /output/],
    [
      'a bigint in a field that the schema does not restrict',
      () => ({ receipt: 'r', more: 1n }),
      /'more'.*bigint/,
    ],
    ['more than 256 KiB', () => ({ receipt: 'x'.repeat(300_000) }), /262,144/],
  ])('that returns %s fails its attempt with a readable message', async (_name, run, message) => {
    const strict = defineTask('strict', {
      input: typed<{ n: number }>(),
      output: z.looseObject({ receipt: z.string() }),
      retry: { maxAttempts: 1 },
    });
    const { client, until } = await working([handle(strict, run as never)]);
    const task = await client.submit(strict, { n: 1 });
    const failure = await until(failureOf(task.result()));
    expect(failure.lastError).toMatch(message);
    expect((await task.status()).deadReason).toBe('attempts');
  });
});
