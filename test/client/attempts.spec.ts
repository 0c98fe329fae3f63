import { describe, expect, it } from 'vitest';
import { AttemptAborted, defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { startClientServer } from './client-server.ts';
import { failureOf, job, working } from './working.ts';

describe('an attempt', () => {
  it('that is long keeps its lease by heartbeats, and all running attempts share one heartbeat message', async () => {
    const it = await startClientServer();
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
    const heartbeats = it.transport.sent.filter(({ kind }) => kind === 'heartbeats');
    expect(heartbeats.length).toBeLessThan(16);
    expect(heartbeats.every(({ message }) => (message as { items: unknown[] }).items.length === 10)).toBe(
      true,
    );
  });

  it('that hangs past its timeout is failed by the worker, which stops its heartbeats and frees its slot', async () => {
    const hanging = defineTask('hanging', {
      input: typed<{ hang: boolean }>(),
      output: typed<string>(),
      timeout: '20s',
      retry: { maxAttempts: 1 },
    });
    let reason: unknown;
    const it = await startClientServer();
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
    expect(events.at(-1)).toMatchObject({ kind: 'died', errorType: 'TimeoutError' });
    expect(reason).toBeInstanceOf(AttemptAborted);
    expect(reason).toMatchObject({ kind: 'timeout' });
    expect(await it.until(next.result())).toBe('done');
    const before = it.transport.sent.filter(({ kind }) => kind === 'heartbeats').length;
    await it.advance(60_000);
    expect(it.transport.sent.filter(({ kind }) => kind === 'heartbeats')).toHaveLength(before);
  });

  it('is failed after the timeout of its handler if that is shorter than the timeout of its task type', async () => {
    const it = await working([handle(job, () => new Promise<never>(() => {}), { timeout: '3s' })]);
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(3_500);
    expect(await task.status()).toMatchObject({ attempt: 1, lastError: expect.stringContaining('3000 ms') });
  });

  it('has its signal aborted by a cancellation, and its task ends as cancelled', async () => {
    let kind: string | undefined;
    const it = await startClientServer();
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
    expect(it.lines).toMatchObject([
      {
        level: 'info',
        message: 'an attempt stopped on request',
        fields: { task_id: task.id, type: 'job', why: 'The task was cancelled.' },
      },
    ]);
  });

  it('has its signal aborted at the deadline of its task, not only at the next heartbeat', async () => {
    const it = await startClientServer();
    let abortedAtMs = 0;
    const patient = handle(job, (_, { signal }) => {
      return new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          abortedAtMs = it.clock.now();
          reject(signal.reason);
        });
      });
    });
    await it.client.work(defineWorker({ handlers: [patient] }));
    const deadline = new Date(it.clock.now() + 2_000);
    const task = await it.client.submit(job, { n: 1 }, { deadline });
    await it.advance(3_000);
    expect(abortedAtMs - deadline.getTime()).toBeGreaterThanOrEqual(0);
    expect(abortedAtMs - deadline.getTime()).toBeLessThan(500);
    expect(await task.status()).toMatchObject({ state: 'dead', deadReason: 'deadline', attempt: 1 });
  });

  it('that returns a result after its task was cancelled succeeds', async () => {
    const it = await startClientServer();
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

  it('that ignores its cancellation is ended when its lease ends, and its slot becomes free', async () => {
    const it = await startClientServer();
    await it.client.work(
      defineWorker({ concurrency: 1, handlers: [handle(job, () => new Promise<never>(() => {}))] }),
    );
    const task = await it.client.submit(job, { n: 1 });
    await it.advance(1_000);
    await task.cancel();
    await it.advance(45_000);
    expect((await task.status()).state).toBe('cancelled');
    expect(it.transport.sent.filter(({ kind }) => kind === 'heartbeats').length).toBeLessThan(2);
    const next = await it.client.submit(job, { n: 2 });
    await it.advance(1_000);
    expect((await next.status()).state).toBe('running');
  });

  it('that lost its lease to another worker is aborted with lease-lost, and its result is discarded', async () => {
    const it = await startClientServer();
    const kinds: (string | undefined)[] = [];
    let begun = 0;
    const spec = defineWorker({
      handlers: [
        handle(job, async (_input, { signal }) => {
          const nth = ++begun;
          if (nth === 1) await it.clock.sleep(100_000);
          kinds.push((signal.reason as AttemptAborted | undefined)?.kind);
          return { twice: nth };
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
