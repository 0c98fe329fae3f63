import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/core/errors.ts';
import {
  type AttemptAborted,
  defineTask,
  defineWorker,
  handle,
  type TaskEvent,
  typed,
} from '../../src/index.ts';
import { startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ ms: number }>(), output: typed<number>() });
const many = (count: number, ms: number) => Array.from({ length: count }, () => ({ input: { ms } }));

async function sleeper(concurrency = 4) {
  const it = await startClientServer();
  const runs: number[] = [];
  const spec = defineWorker({
    concurrency,
    handlers: [
      handle(job, async ({ ms }, { attempt }) => {
        runs.push(attempt);
        await it.clock.sleep(ms);
        return ms;
      }),
    ],
  });
  return { ...it, spec, runs };
}

async function eventsOf(events: AsyncIterable<TaskEvent>): Promise<string[]> {
  const kinds: string[] = [];
  for await (const { kind } of events) kinds.push(kind);
  return kinds;
}

describe('a worker', () => {
  it('settles the attempts that ended in one turn of the event loop as one batch', async () => {
    const it = await startClientServer();
    const gate = Promise.withResolvers<number>();
    const spec = defineWorker({ concurrency: 50, handlers: [handle(job, () => gate.promise)] });
    await it.client.work(spec);
    await it.client.submitMany(job, many(50, 0));
    await it.advance(1_000);
    gate.resolve(7);
    await it.advance(1_000);
    const settlements = it.transport.sent.filter(({ kind }) => kind === 'settlements');
    expect(settlements.map(({ message }) => (message as { items: unknown[] }).items.length)).toEqual([50]);
  });

  it('keeps a settlement that it cannot send and sends it after it has reconnected', async () => {
    const { client, spec, transport, advance, runs } = await sleeper();
    await client.work(spec);
    const task = await client.submit(job, { ms: 5_000 });
    await advance(4_000);
    transport.unreachable = true;
    transport.cut('report');
    await advance(10_000);
    transport.unreachable = false;
    await advance(6_000);
    expect(await task.result()).toBe(5_000);
    expect(runs).toEqual([1]);
  });

  it('sends settlements again if their answers were lost, and the server records each settlement only once', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    const tasks = await Promise.all(many(20, 1_000).map(({ input }) => client.submit(job, input)));
    transport.dropReportAnswers = true;
    await advance(8_000);
    transport.dropReportAnswers = false;
    transport.cut('report');
    await advance(3_000);
    const settlements = transport.sent.filter(({ kind }) => kind === 'settlements');
    const leases = settlements.flatMap(
      ({ message }) => (message as { items: { lease: Uint8Array }[] }).items,
    );
    expect(leases.length).toBeGreaterThan(20);
    await advance(20_000);
    for (const task of tasks) {
      expect(await eventsOf(task.events())).toEqual(['submitted', 'claimed', 'succeeded']);
    }
  });

  it('gets tasks again after answers to its settlements came late, although it has replaced its credit meanwhile', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    for (let round = 0; round < 12; round++) {
      transport.holdReportAnswers = true;
      await client.submitMany(job, many(4, 100));
      await advance(5_000);
      transport.deliverReportAnswers();
      await advance(1_000);
    }
    const hellos = transport.sent.filter(({ stream, kind }) => stream === 'work' && kind === 'hello');
    expect(hellos.length).toBeGreaterThan(1);
    const task = await client.submit(job, { ms: 100 });
    await advance(2_000);
    expect((await task.status()).state).toBe('succeeded');
  });

  it('reconnects after its work stream was cut, and no task is lost', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    const tasks = await Promise.all(many(60, 500).map(({ input }) => client.submit(job, input)));
    for (let i = 0; i < 10; i++) {
      transport.cut('work');
      await advance(700);
    }
    await advance(60_000);
    for (const task of tasks) expect((await task.status()).state).toBe('succeeded');
  });

  it('logs an unreachable server at once and then ever less often, and logs when it has connected', async () => {
    const { client, spec, transport, advance, lines } = await sleeper();
    transport.unreachable = true;
    await client.work(spec);
    const logged = () => lines.splice(0).map(({ level, message }) => `${level}: ${message}`);
    const cannot = 'warn: the server cannot be reached; trying again';
    await advance(1_000);
    expect(lines[0]?.fields).toMatchObject({ error: 'the test broke the connection', reason: 'UNREACHABLE' });
    expect(logged()).toEqual([cannot]);
    await advance(10 * 60_000);
    expect(logged()).toEqual([cannot, cannot, cannot, cannot]);
    transport.unreachable = false;
    await advance(10_000);
    expect(logged()).toEqual(['info: connected to the server']);
    transport.cut('work');
    await advance(10_000);
    expect(logged()).toEqual(['info: the work stream was cut; opening another']);
  });

  it('logs at once when its connection fails for another reason than before', async () => {
    const { client, spec, transport, advance, lines } = await sleeper();
    transport.unreachable = true;
    await client.work(spec);
    await advance(1_000);
    transport.unreachable = false;
    await advance(10_000);
    transport.cut('work');
    transport.unreachable = true;
    await advance(5_000);
    lines.splice(0);
    transport.failure = new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_EXPIRED', 'expired');
    await advance(20_000);
    expect(lines.map(({ fields }) => fields.reason)).toEqual(['CERTIFICATE_EXPIRED']);
  });

  it('opens new streams when the server drains the old ones, and tasks run without a pause', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    for (let i = 0; i < 10; i++) {
      const task = await client.submit(job, { ms: 100 });
      await advance(60_000);
      expect(await task.result()).toBe(100);
    }
    expect(transport.opened.work).toBeGreaterThanOrEqual(3);
    expect(transport.opened.report).toBeGreaterThanOrEqual(3);
    expect(transport.opened.work).toBeLessThanOrEqual(5);
  });

  it('reports on its old stream while the only server drains, and opens no streams in a busy loop', async () => {
    const { client, spec, transport, advance, node } = await sleeper();
    await client.work(spec);
    const tasks = await Promise.all(many(2, 3_000).map(({ input }) => client.submit(job, input)));
    await advance(2_500);
    const before = { ...transport.opened };
    node.api.drain();
    await advance(1_000);
    const states = await Promise.all(tasks.map(async (task) => (await task.status()).state));
    expect(states).toEqual(['succeeded', 'succeeded']);
    expect(transport.opened.work - before.work).toBeLessThanOrEqual(12);
    expect(transport.opened.report - before.report).toBeLessThanOrEqual(12);
  });

  it('takes work again within half a second after an outage of its server of 3 s, and within 5 s after a long one', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    await advance(1_000);
    for (const { outageMs, backMs } of [
      { outageMs: 3_000, backMs: 500 },
      { outageMs: 120_000, backMs: 5_500 },
    ]) {
      transport.unreachable = true;
      transport.cut('work');
      transport.cut('report');
      await advance(outageMs);
      transport.unreachable = false;
      await advance(backMs);
      const task = await client.submit(job, { ms: 1 });
      await advance(10);
      expect((await task.status()).state).toBe('succeeded');
    }
  });

  it('keeps idle streams open by keep-alive messages', async () => {
    const { client, spec, transport, advance } = await sleeper();
    await client.work(spec);
    await advance(200_000);
    for (const name of ['work', 'report'] as const) {
      const keepAlives = transport.sent.filter(({ kind, stream }) => kind === 'keepAlive' && stream === name);
      expect(keepAlives.length).toBeGreaterThanOrEqual(9);
    }
    expect(transport.opened).toEqual({ work: 1, report: 1 });
  });

  it('releases tasks that it could not start within 5 s, and another worker runs them', async () => {
    const { client, spec, advance, another, clock } = await sleeper(2);
    await client.work(spec);
    const slow = await client.submitMany(job, many(2, 200_000));
    await advance(100);
    const quick = await Promise.all([1, 2].map(() => client.submit(job, { ms: 1 })));
    await advance(1_000);
    const other = another();
    await other.client.work(defineWorker({ handlers: [handle(job, ({ ms }) => ms)] }));
    await advance(8_000);
    expect(slow).toHaveLength(2);
    for (const task of quick) {
      expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(await eventsOf(task.events())).toEqual([
        'submitted',
        'claimed',
        'claimReleased',
        'claimed',
        'succeeded',
      ]);
    }
    expect(clock.now()).toBeGreaterThan(0);
    await Promise.all([other.client.close(), advance(1_000)]);
  });

  it('does not claim and release tasks over and over while it has no free slot', async () => {
    const { client, spec, advance } = await sleeper(2);
    await client.work(spec);
    await client.submitMany(job, many(2, 250_000));
    await advance(100);
    const waiting = await Promise.all(many(6, 1).map(({ input }) => client.submit(job, input)));
    await advance(120_000);
    let released = 0;
    for (const task of waiting) {
      const { version, state } = await task.status();
      expect(state).toBe('ready');
      released += (version - 1) / 2;
    }
    expect(released).toBeLessThanOrEqual(8);
  });

  it('fills all its slots again after a period of slow tasks', async () => {
    const { client, spec, advance, clock } = await sleeper(4);
    await client.work(spec);
    await client.submitMany(job, many(4, 60_000));
    await client.submitMany(job, many(8, 1));
    await advance(65_000);
    const beganMs = clock.now();
    const outcomes = await client.submitMany(job, many(400, 100));
    await advance(15_000);
    const ended = await Promise.all(
      outcomes.map(async (outcome) =>
        outcome.ok ? (await outcome.task.status()).endedAt?.getTime() : undefined,
      ),
    );
    // 400 tasks of 100 ms each take 10 s in 4 slots.
    expect(Math.max(...ended.map((at) => at ?? Number.POSITIVE_INFINITY)) - beganMs).toBeLessThan(12_000);
  });

  it("limits a task type to its handler's concurrency while tasks of other types overtake", async () => {
    const it = await startClientServer();
    const other = defineTask('other', { input: typed<{ n: number }>() });
    let running = 0;
    let most = 0;
    await it.client.work(
      defineWorker({
        concurrency: 8,
        handlers: [
          handle(
            job,
            async ({ ms }) => {
              most = Math.max(most, ++running);
              await it.clock.sleep(ms);
              running--;
              return ms;
            },
            { concurrency: 2 },
          ),
          handle(other, () => {}),
        ],
      }),
    );
    await it.client.submitMany(job, many(6, 2_000));
    const passing = await it.client.submit(other, { n: 1 });
    await it.advance(1_000);
    expect((await passing.status()).state).toBe('succeeded');
    await it.advance(20_000);
    expect(most).toBe(2);
    expect((await it.client.list({ type: 'job' })).tasks.every(({ state }) => state === 'succeeded')).toBe(
      true,
    );
  });

  it("rejects running.done with the server's error if the server refuses the worker", async () => {
    const it = await startClientServer({ tenant: 'not a tenant' });
    const running = await it.client.work(defineWorker({ handlers: [handle(job, ({ ms }) => ms)] }));
    await expect(it.until(running.done)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a drain of a worker', () => {
  it('stops new assignments, releases the tasks that have not started, and lets the running tasks finish', async () => {
    const { client, spec, advance, until } = await sleeper(2);
    const running = await client.work(spec);
    const tasks = await Promise.all(many(4, 3_000).map(({ input }) => client.submit(job, input)));
    await advance(1_000);
    await until(running.drain());
    await running.done;
    const late = await client.submit(job, { ms: 1 });
    await advance(10_000);
    const states = await Promise.all(tasks.map(async (task) => (await task.status()).state));
    expect(states).toEqual(['succeeded', 'succeeded', 'ready', 'ready']);
    expect((await late.status()).state).toBe('ready');
  });

  it('aborts attempts that outlast its timeout and releases their tasks without counting an attempt', async () => {
    const it = await startClientServer();
    let kind: string | undefined;
    const running = await it.client.work(
      defineWorker({
        handlers: [
          handle(job, (_input, { signal }) => {
            signal.addEventListener('abort', () => {
              kind = (signal.reason as AttemptAborted).kind;
            });
            return new Promise<never>(() => {});
          }),
        ],
      }),
    );
    const task = await it.client.submit(job, { ms: 0 });
    await it.advance(1_000);
    const beganMs = it.clock.now();
    await it.until(running.drain({ timeout: '5s' }));
    expect(it.clock.now() - beganMs).toBeLessThan(8_000);
    expect(kind).toBe('shutdown');
    expect(
      await eventsOf(it.client.task(task.id).events({ signal: AbortSignal.abort() })).catch(() => 'aborted'),
    ).toBe('aborted');
    expect(await task.status()).toMatchObject({ state: 'ready', attempt: 0 });
  });

  it('logs an attempt that stops on request at level info', async () => {
    const it = await startClientServer();
    const heeds = handle(job, (_input, { signal }) => {
      return new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped half way')));
      });
    });
    const running = await it.client.work(defineWorker({ handlers: [heeds] }));
    await it.client.submit(job, { ms: 0 });
    await it.advance(1_000);
    await it.until(running.drain({ timeout: '1s' }));
    expect(it.lines).toMatchObject([
      { level: 'info', fields: { why: 'The worker is shutting down.', error: 'stopped half way' } },
    ]);
  });

  it('is started by disposing of a running worker and by closing its client', async () => {
    const { client, spec, advance, until } = await sleeper();
    const one = await client.work(spec);
    const two = await client.work(spec);
    await until(Promise.resolve(one[Symbol.asyncDispose]()));
    const task = await client.submit(job, { ms: 2_000 });
    await advance(500);
    await until(client.close());
    await Promise.all([one.done, two.done]);
    // A worker was waiting for tasks, so the task was claimed for it when it was accepted.
    expect(task.state).toBe('reserved');
  });
});

describe('the events of a task', () => {
  it('continue after the server drained the watch stream, without repeating an event', async () => {
    const { client, spec, advance, until } = await sleeper();
    const task = await client.submit(job, { ms: 1 }, { delay: '20m' });
    const seen = eventsOf(task.events());
    await advance(600_000);
    await client.work(spec);
    expect(await until(seen)).toEqual(['submitted', 'claimed', 'succeeded']);
  });

  it('begin after the version that is given as `after`', async () => {
    const { client, spec, until } = await sleeper();
    await client.work(spec);
    const task = await client.submit(job, { ms: 1 });
    await until(task.result());
    expect(await eventsOf(task.events({ after: 2 }))).toEqual(['succeeded']);
  });
});
