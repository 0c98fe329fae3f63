import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTask, defineWorker, FatalError, handle, typed } from '../../src/index.ts';
import { startClientServer } from './client-server.ts';
import { failureOf, job, kindsOf, working } from './working.ts';

describe('a task', () => {
  it('returns as its result the value that the handler returned', async () => {
    const { client, until } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))]);
    const task = await client.submit(job, { n: 21 });
    expect(await until(task.result())).toEqual({ twice: 42 });
    expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1, result: { twice: 42 } });
    expect(await task.result()).toEqual({ twice: 42 });
  });

  it('can be one of 600 tasks whose results are awaited together', async () => {
    const { client, until } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))]);
    const outcomes = await client.submitMany(
      job,
      Array.from({ length: 600 }, (_, n) => ({ input: { n }, delay: '2s' as const })),
    );
    const results = outcomes.map((outcome) =>
      outcome.ok ? outcome.task.result() : Promise.reject(outcome.error),
    );
    expect((await until(Promise.all(results))).map(({ twice }) => twice / 2)).toEqual(
      Array.from({ length: 600 }, (_, n) => n),
    );
  });

  it('shares a few watch streams with 39 other tasks, although the waits for their results began one after the other', async () => {
    const { client, until, advance, transport } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))]);
    const results: Promise<unknown>[] = [];
    for (let n = 0; n < 40; n++) {
      results.push((await client.submit(job, { n }, { delay: '1m' })).result());
      await advance(10);
    }
    expect(transport.watching).toBeLessThanOrEqual(9);
    expect(await until(Promise.all(results))).toHaveLength(40);
    await advance(1_000);
    expect([transport.watching, transport.maxWatching <= 17]).toEqual([0, true]);
  });

  it('without an output schema has the result undefined', async () => {
    const quiet = defineTask('quiet', { input: typed<void>() });
    const { client, until } = await working([handle(quiet, () => {})]);
    const task = await until(client.submit(quiet, undefined));
    expect(await until(task.result())).toBeUndefined();
  });

  it('has its input transformed by the input schema for the handler, and its result by the output schema for the reader', async () => {
    const dated = defineTask('dated', {
      input: z.object({
        due: z.iso.date().transform((text) => new Date(text)),
        copies: z.number().default(2),
      }),
      output: z.object({ at: z.string().transform((text) => new Date(text)) }),
    });
    let seen: unknown;
    const { client, until } = await working([
      handle(dated, (input) => {
        seen = input;
        return { at: input.due.toISOString() };
      }),
    ]);
    const task = await client.submit(dated, { due: '2026-12-24' });
    expect(await until(task.result())).toEqual({ at: new Date('2026-12-24') });
    expect(seen).toEqual({ due: new Date('2026-12-24'), copies: 2 });
  });

  it('of an older version has its input upgraded step by step before it is validated', async () => {
    const first = defineTask('grown', { input: typed<{ name: string }>() });
    const third = defineTask('grown', {
      input: z.object({ first: z.string(), last: z.string(), age: z.number() }),
      output: typed<string>(),
      version: 3,
      upgrade: {
        1: ({ name }: { name: string }) => ({ first: name.split(' ')[0], last: name.split(' ')[1] }),
        2: (old: object) => ({ age: 0, ...old }),
      },
    });
    const { client, until } = await working([
      handle(third, ({ first: f, last, age }) => `${last}, ${f} (${age})`),
    ]);
    const { id } = await client.submit(first, { name: 'Ada Lovelace' });
    expect(await until(client.task(id, third).result())).toBe('Lovelace, Ada (0)');
  });

  it('of a newer version than the worker handles stays ready', async () => {
    const newer = defineTask('job', { input: typed<{ n: number }>(), version: 2 });
    const it = await working([handle(job, ({ n }) => ({ twice: n }))]);
    const task = await it.client.submit(newer, { n: 1 });
    await it.advance(60_000);
    expect((await task.status()).state).toBe('ready');
  });
});

describe('a dead task', () => {
  it('runs again after redrive()', async () => {
    let works = false;
    const it = await working([
      handle(job, () => {
        if (!works) throw new FatalError('not yet');
        return { twice: 1 };
      }),
    ]);
    const task = await it.client.submit(job, { n: 1 });
    await it.until(failureOf(task.result()));
    works = true;
    await task.redrive();
    expect(await it.until(it.client.task(task.id, job).result())).toEqual({ twice: 1 });
    expect(await kindsOf(it, task.id)).toEqual([
      'submitted',
      'claimed',
      'died',
      'redriven',
      'claimed',
      'succeeded',
    ]);
  });
});

describe('a wait for a result', () => {
  it('ends with TIMED_OUT after its timeout, and the task continues', async () => {
    const it = await startClientServer();
    const task = await it.client.submit(job, { n: 1 });
    const wait = task.result({ timeout: '5s' });
    wait.catch(() => {});
    await it.advance(5_100);
    await expect(wait).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      reason: 'TIMED_OUT',
      taskId: task.id,
    });
    expect((await task.status()).state).toBe('ready');
  });

  it("ends with the signal's reason when its signal is aborted", async () => {
    const it = await startClientServer();
    const task = await it.client.submit(job, { n: 1 });
    const abort = new AbortController();
    const wait = task.result({ signal: abort.signal });
    wait.catch(() => {});
    await it.advance(100);
    abort.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });

  it('rejects with TASK_NOT_FOUND if the task does not exist', async () => {
    const it = await startClientServer();
    await expect(it.until(it.client.task('1.zzz').result())).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'TASK_NOT_FOUND',
    });
  });
});

describe('an explanation', () => {
  it('of a task says why it has not completed, and how it ended', async () => {
    const { client, until, advance } = await startClientServer();
    const task = await client.submit(job, { n: 1 }, { delay: '1m' });
    const { at, until: untilAt, ...rest } = await task.explain();
    expect(rest).toMatchObject({
      ...{ verdict: 'NOT_DUE', sentence: 'It is scheduled to run in 1 min.', evidence: {}, next: undefined },
      task: { id: task.id, type: 'job', state: 'scheduled', input: undefined },
    });
    expect(Number(untilAt) - Number(at)).toBe(60_000);
    await client.work(defineWorker({ handlers: [handle(job, ({ n }) => ({ twice: 2 * n }))] }));
    await advance(61_000);
    await until(task.result());
    expect(await client.task(task.id).explain()).toMatchObject({ verdict: 'SUCCEEDED', until: undefined });
    await expect(client.task('none').explain()).rejects.toMatchObject({ reason: 'TASK_NOT_FOUND' });
  });

  it('of all unfinished tasks groups those in trouble, and counts the others', async () => {
    const { client, advance } = await startClientServer();
    const { id: first } = await client.submit(job, { n: 1 });
    await client.submit(job, { n: 2 }, { delay: '1m' });
    await advance(1_000);
    const { groups, healthy, at, ...rest } = await client.trouble();
    expect(groups).toMatchObject([
      {
        ...{ verdict: 'NO_WORKER', queue: 'default', count: 1, oldestIds: [first] },
        ...{ since: new Date(Number(at) - 1_000), next: 'holdfast workers --queue default' },
        sentence: "1 task waits: no worker takes tasks of queue 'default'.",
      },
    ]);
    expect(healthy).toEqual({ NOT_DUE: 1 });
    expect(rest).toEqual({
      ...{
        moreGroups: 0,
        examined: 2,
        explained: 2,
        unexplained: 0,
        cutQueues: [],
        areWorkersComplete: true,
      },
    });
    expect((await client.trouble({ queue: 'default' })).groups).toHaveLength(1);
    await expect(client.trouble({ queue: 'none' })).rejects.toMatchObject({ reason: 'QUEUE_UNKNOWN' });
  });
});
