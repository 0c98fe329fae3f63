import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  AttemptAborted,
  type Context,
  defineTask,
  defineWorker,
  FatalError,
  type Handler,
  handle,
  RetryAfter,
  Snooze,
  TaskFailedError,
  typed,
  type WorkerOptions,
} from '../../src/index.ts';
import { type Rig, rig } from './rig.ts';

const job = defineTask('job', { input: typed<{ n: number }>(), output: typed<{ twice: number }>() });

async function working(handlers: Handler[], more: Partial<WorkerOptions> = {}): Promise<Rig> {
  const it = await rig();
  await it.client.work(defineWorker({ handlers, ...more }));
  return it;
}

async function kindsOf({ client, until }: Rig, id: string): Promise<string[]> {
  const kinds: string[] = [];
  const read = async (): Promise<void> => {
    for await (const event of client.task(id).events()) kinds.push(event.type);
  };
  await until(read());
  return kinds;
}

async function failureOf(promise: Promise<unknown>): Promise<TaskFailedError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof TaskFailedError) return thrown;
  throw new Error(`no TaskFailedError was thrown, but ${String(thrown)}`);
}

describe('a task', () => {
  it('is done, and its result is what the handler returned', async () => {
    const { client, until } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))]);
    const task = await client.submit(job, { n: 21 });
    expect(await until(task.result())).toEqual({ twice: 42 });
    expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1, result: { twice: 42 } });
    expect(await task.result()).toEqual({ twice: 42 });
  });

  it('is awaited by many at once over few streams', async () => {
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

  it('and hundreds of others that are awaited one after the other need few streams too', async () => {
    const { client, until, advance, transport } = await working([handle(job, ({ n }) => ({ twice: 2 * n }))]);
    const results: Promise<unknown>[] = [];
    for (let n = 0; n < 40; n++) {
      results.push((await client.submit(job, { n }, { delay: '1m' })).result());
      await advance(10);
    }
    expect(transport.watching).toBeLessThanOrEqual(9);
    expect(await until(Promise.all(results))).toHaveLength(40);
    await advance(1_000);
    expect([transport.watching, transport.watchingMost <= 17]).toEqual([0, true]);
  });

  it('without a result gives undefined', async () => {
    const quiet = defineTask('quiet', { input: typed<void>() });
    const { client, until } = await working([handle(quiet, () => {})]);
    const task = await until(client.submit(quiet, undefined));
    expect(await until(task.result())).toBeUndefined();
  });

  it('arrives as the output of its schema, and its result is parsed by the reader', async () => {
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

  it('of an older version is upgraded step by step before it is validated', async () => {
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

  it('of a newer version than a worker knows waits for one that does', async () => {
    const newer = defineTask('job', { input: typed<{ n: number }>(), version: 2 });
    const it = await working([handle(job, ({ n }) => ({ twice: n }))]);
    const task = await it.client.submit(newer, { n: 1 });
    await it.advance(60_000);
    expect((await task.status()).state).toBe('ready');
  });
});

describe('a handler', () => {
  it('knows its attempt', async () => {
    let seen: Partial<Context> = {};
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

  it('that throws is tried again by policy, and dies after its last attempt with its last error', async () => {
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
    expect(failure.help).toContain(`holdfast retry ${task.id}`);
    expect((await kindsOf(it, task.id)).filter((kind) => kind === 'failed')).toHaveLength(2);
    expect(dead).toMatchObject([
      { id: task.id, type: 'job', attempt: 3, message: 'no luck at 3', errorType: 'TypeError' },
    ]);
    expect((await task.status()).deadReason).toBe('attempts');
  });

  it('that throws a FatalError is not tried again', async () => {
    const { client, until } = await working([
      handle(job, () => {
        throw new FatalError('never');
      }),
    ]);
    const task = await client.submit(job, { n: 1 });
    expect(await until(failureOf(task.result()))).toMatchObject({ attempts: 1, lastError: 'never' });
    expect((await task.status()).deadReason).toBe('fatal');
  });

  it('that throws RetryAfter is tried again after exactly so long, and uses an attempt', async () => {
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

  it('that throws Snooze comes again later and uses no attempt', async () => {
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

  it("is tried again after what its contract's own backoff says", async () => {
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
    ['an error without words', new RangeError(), 'RangeError'],
  ])('that throws %s fails with a sentence', async (_what, thrown, told) => {
    const once = defineTask('job', { input: typed<{ n: number }>(), retry: { maxAttempts: 1 } });
    const { client, until } = await working([
      handle(once, () => {
        throw thrown;
      }),
    ]);
    const task = await client.submit(once, { n: 1 });
    expect((await until(failureOf(task.result()))).lastError).toBe(told);
  });

  it.each([
    ['another shape than its contract says', () => ({ receipt: 7 }), /receipt/],
    ['nothing', () => undefined, /output/],
    ['a bigint where anything goes', () => ({ receipt: 'r', more: 1n }), /'more'.*bigint/],
    ['more than 256 KiB', () => ({ receipt: 'x'.repeat(300_000) }), /262,144/],
  ])('that returns %s fails its attempt with a sentence', async (_what, run, told) => {
    const strict = defineTask('strict', {
      input: typed<{ n: number }>(),
      output: z.looseObject({ receipt: z.string() }),
      retry: { maxAttempts: 1 },
    });
    const { client, until } = await working([handle(strict, run as never)]);
    const task = await client.submit(strict, { n: 1 });
    const failure = await until(failureOf(task.result()));
    expect(failure.lastError).toMatch(told);
    expect((await task.status()).deadReason).toBe('attempts');
  });

  it('is not called for an input that its contract does not know; the task is dead, and says why', async () => {
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

  it('runs inside the middleware, which sees what it throws and what it returns', async () => {
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

  it('submits a child once, however often it is tried itself', async () => {
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

  it('tells its progress, at most once a second, and the last counts', async () => {
    const it = await rig();
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
    const beats = it.transport.said.filter(({ kind }) => kind === 'heartbeats').length;
    expect(beats).toBeGreaterThan(1);
    expect(beats).toBeLessThan(5);
  });
});

describe('an attempt', () => {
  it('that is long keeps its lease by heartbeats, all that run in one message', async () => {
    const it = await rig();
    const slow = defineTask('slow', { input: typed<{ n: number }>(), timeout: '10m' });
    await it.client.work(
      defineWorker({ handlers: [handle(slow, () => it.clock.sleep(120_000))], concurrency: 10 }),
    );
    const outcomes = await it.client.submitMany(
      slow,
      Array.from({ length: 10 }, (_, n) => ({ input: { n } })),
    );
    await it.advance(125_000);
    for (const outcome of outcomes) {
      if (!outcome.ok) throw outcome.error;
      expect(await outcome.task.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    }
    const beats = it.transport.said.filter(({ kind }) => kind === 'heartbeats');
    expect(beats.length).toBeLessThan(16);
    expect(beats.every(({ message }) => (message as { items: unknown[] }).items.length === 10)).toBe(true);
  });

  it('that hangs past its timeout is failed by the worker, its heartbeats stop and its slot is free', async () => {
    const hanging = defineTask('hanging', {
      input: typed<{ hang: boolean }>(),
      output: typed<string>(),
      timeout: '20s',
      retry: { maxAttempts: 1 },
    });
    let reason: unknown;
    const it = await rig();
    await it.client.work(
      defineWorker({
        concurrency: 1,
        handlers: [
          handle(hanging, ({ hang }, { signal }) => {
            if (!hang) return 'done';
            signal.addEventListener('abort', () => {
              reason = signal.reason;
            });
            return new Promise<string>(() => {});
          }),
        ],
      }),
    );
    const stuck = await it.client.submit(hanging, { hang: true });
    await it.advance(15_000);
    const next = await it.client.submit(hanging, { hang: false });
    await it.advance(6_000);
    expect(await stuck.status()).toMatchObject({ state: 'dead', attempt: 1, deadReason: 'attempts' });
    const events = [];
    for await (const event of stuck.events()) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: 'died', errorType: 'TimeoutError' });
    expect(reason).toBeInstanceOf(AttemptAborted);
    expect(reason).toMatchObject({ kind: 'timeout' });
    expect(await it.until(next.result())).toBe('done');
    const before = it.transport.said.filter(({ kind }) => kind === 'heartbeats').length;
    await it.advance(60_000);
    expect(it.transport.said.filter(({ kind }) => kind === 'heartbeats')).toHaveLength(before);
  });

  it('is given up sooner where its handler has a timeout of its own', async () => {
    const it = await working([handle(job, () => new Promise<never>(() => {}), { timeout: '3s' })]);
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(3_500);
    expect(await task.status()).toMatchObject({ attempt: 1, lastError: expect.stringContaining('3000 ms') });
  });

  it('hears of a cancellation, and ends as cancelled', async () => {
    let kind: string | undefined;
    const it = await rig();
    await it.client.work(
      defineWorker({
        handlers: [
          handle(job, (_input, { signal }) => {
            return new Promise<never>((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                kind = (signal.reason as AttemptAborted).kind;
                reject(signal.reason);
              });
            });
          }),
        ],
      }),
    );
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(1_000);
    await task.cancel('not needed');
    await it.advance(12_000);
    expect(kind).toBe('cancelled');
    expect(await failureOf(task.result())).toMatchObject({ state: 'cancelled', reason: 'TASK_CANCELLED' });
  });

  it('that succeeds although it was cancelled has succeeded', async () => {
    const it = await rig();
    await it.client.work(
      defineWorker({
        handlers: [
          handle(job, async () => {
            await it.clock.sleep(15_000);
            return { twice: 1 };
          }),
        ],
      }),
    );
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(1_000);
    await task.cancel();
    await it.advance(15_000);
    expect(await task.result()).toEqual({ twice: 1 });
  });

  it('that ignores its cancellation is ended when its lease would be, and its slot is free', async () => {
    const it = await rig();
    await it.client.work(
      defineWorker({ concurrency: 1, handlers: [handle(job, () => new Promise<never>(() => {}))] }),
    );
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(1_000);
    await task.cancel();
    await it.advance(45_000);
    expect((await task.status()).state).toBe('cancelled');
    expect(it.transport.said.filter(({ kind }) => kind === 'heartbeats').length).toBeLessThan(2);
    const next = await it.client.submit(job, { n: 2 });
    await it.advance(1_000);
    expect((await next.status()).state).toBe('running');
  });

  it('whose lease another one took hears it, and what it says changes nothing', async () => {
    const it = await rig();
    const kinds: (string | undefined)[] = [];
    const spec = defineWorker({
      handlers: [
        handle(job, async (_input, { attempt, signal }) => {
          if (attempt === 1) await it.clock.sleep(100_000);
          kinds.push((signal.reason as AttemptAborted | undefined)?.kind);
          return { twice: attempt };
        }),
      ],
    });
    await it.client.work(spec);
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(1_000);
    it.transport.unreachable = true;
    it.transport.cut('report');
    it.transport.cut('work');
    const other = it.another();
    await other.client.work(spec);
    await it.advance(45_000);
    it.transport.unreachable = false;
    await it.advance(90_000);
    expect(kinds).toEqual([undefined, 'lease-lost']);
    expect(it.lines.filter(({ message }) => message.includes('refused'))).toEqual([]);
    expect(await task.result()).toEqual({ twice: 2 });
    await other.client.close();
  });
});

describe('a dead task', () => {
  it('runs again when it is retried', async () => {
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
    await task.retry();
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
  it('ends at its timeout, and the task goes on', async () => {
    const it = await rig();
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

  it('ends when its signal is aborted, with its reason', async () => {
    const it = await rig();
    const task = await it.client.submit(job, { n: 1 });
    const abort = new AbortController();
    const wait = task.result({ signal: abort.signal });
    wait.catch(() => {});
    await it.advance(100);
    abort.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });

  it('of a task that does not exist says so', async () => {
    const it = await rig();
    await expect(it.until(it.client.task('1.zzz').result())).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'TASK_NOT_FOUND',
    });
  });
});
