import { expect } from 'vitest';
import type { VerdictCode } from '../../src/core/explain/verdict.ts';
import { timing } from '../../src/core/limits.ts';
import type { Assignment, OutcomeKind } from '../../src/core/messages.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { TaskStore } from '../../src/ports/task-store.ts';
import { createService } from '../../src/service/create-service.ts';
import { ensureAccepted, item, noOptions, specOf } from '../fixtures/api-node.ts';
import type { StoreFixture } from './store-fixture.ts';
import type { Subject } from './subject.ts';

const tenant = 'default';
const queue = { tenant, queue: 'explained' };

/** A node on the engine under test, without background loops, with a worker that polls it. */
export async function nodeOn({ engine, clock }: StoreFixture, store: TaskStore = engine.store) {
  const options = { ...engine, store, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = (type = 'note', maxVersion = 1): Promise<readonly Assignment[]> =>
    service.claim({
      ...{ tenant, workerName: 'w', workerId: '1', queues: [queue.queue], types: [{ type, maxVersion }] },
      ...{ maxTasks: 10, waitMs: 0, requestId: '', signal: new AbortController().signal },
    });
  return {
    service,
    clock,
    claim,
    async submit(key: string, more: Parameters<typeof item>[1] = {}): Promise<string> {
      const [result] = await service.submit(queue, [item(key, more)], { notAfterMs: undefined });
      await settled();
      return ensureAccepted(result).id;
    },
    async settle(outcome: OutcomeKind, more: { message?: string; afterMs?: number } = {}): Promise<void> {
      const [task] = await claim();
      if (task === undefined) throw new Error('no task was claimed');
      const { message = '', afterMs } = more;
      const result = outcome === 'succeeded' ? new Uint8Array() : undefined;
      const settlement = { lease: task.lease, outcome, result, message, afterMs, errorType: '', begun: true };
      const { results } = await service.settle([settlement], { tenant, sessionId: undefined });
      if (results[0]?.error !== undefined) throw new Error(results[0].error.message);
      await settled();
    },
    async verdict(id: string) {
      return (await service.explain(tenant, id)).verdict;
    },
    async code(id: string): Promise<VerdictCode> {
      return (await service.explain(tenant, id)).verdict.code;
    },
  };
}

/** Requirements of the verdict on a task that a node reads from its engine. */
export const explained: Subject = (requires) => {
  requires('a task is explained by its queue and its workers until a worker takes it', async (fixture) => {
    const { service, submit, claim, code, clock } = await nodeOn(fixture);
    const id = await submit('a', { spec: specOf() });
    expect(await code(id)).toBe('NO_WORKER');
    const pause = (paused: boolean) => service.updateQueue(queue, { paused }, 'alice');
    const pollPaused = async (type: string): Promise<void> => {
      const polled = claim(type);
      await clock.advance(1);
      await polled;
    };
    await pause(true);
    await pollPaused('other');
    expect(await code(id)).toBe('QUEUE_PAUSED');
    await pause(false);
    expect(await code(id)).toBe('NO_WORKER_FOR_TYPE');
    await pause(true);
    await pollPaused('note');
    await pause(false);
    expect(await code(id)).toBe('STARTING');
    expect(await claim()).toHaveLength(1);
    expect(await code(id)).toBe('RUNNING');
  });

  requires('a running task is explained by its lease', async (fixture) => {
    const { submit, claim, verdict, code, clock } = await nodeOn(fixture);
    const id = await submit('a');
    await claim();
    expect(await verdict(id)).toMatchObject({ code: 'RUNNING', evidence: { worker: 'w/1', attempt: 1 } });
    await clock.advance(timing.heartbeatMs + 3_000);
    const silent = await verdict(id);
    expect(silent).toMatchObject({
      code: 'RUNNING_SILENT',
      sinceMs: clock.now() - timing.heartbeatMs - 3_000,
    });
    expect(silent.untilMs).toBe((silent.sinceMs ?? 0) + timing.leaseMs);
    await clock.advance(timing.leaseMs);
    expect(await code(id)).toBe('LEASE_LOST');
  });

  requires('a task that waits for a time is explained by its newest event', async (fixture) => {
    const { submit, settle, verdict, clock } = await nodeOn(fixture);
    const later = await submit('later', { options: { ...noOptions, delayMs: 60_000 } });
    expect(await verdict(later)).toMatchObject({ code: 'NOT_DUE', untilMs: clock.now() + 60_000 });
    const failed = await submit('failed');
    await settle('failed', { message: 'no route to host' });
    const backoff = await verdict(failed);
    expect(backoff).toMatchObject({
      code: 'BACKOFF',
      evidence: { attempt: 1, worker: 'w/1', error: 'no route to host' },
    });
    const snoozed = await submit('snoozed');
    await settle('snoozed', { afterMs: 30_000 });
    expect(await verdict(snoozed)).toMatchObject({ code: 'SNOOZED', untilMs: clock.now() + 30_000 });
  });

  requires('a task of a lane is explained by the first task of the lane', async (fixture) => {
    const { service, submit, settle, verdict, code } = await nodeOn(fixture);
    const spec = specOf('{}', 'note', 'lane');
    await service.updateQueue(queue, { onDead: 'hold', create: true }, 'alice');
    const [first, next] = [await submit('first', { spec }), await submit('next', { spec })];
    expect(await verdict(next)).toMatchObject({ code: 'LANE_WAITS', evidence: { blockedByTaskId: first } });
    await settle('fatal', { message: 'bad address' });
    expect(await code(first)).toBe('DEAD_FATAL');
    expect(await verdict(next)).toMatchObject({
      code: 'LANE_HELD_BY_DEAD',
      evidence: { blockedByTaskId: first },
      next: `holdfast redrive ${first}`,
    });
    await service.cancel(tenant, first, { actor: 'alice', message: 'skipped' });
    expect(await code(first)).toBe('CANCELLED');
  });

  requires(
    'an ended task is explained by its end, and one of another tenant is not found',
    async (fixture) => {
      const { service, submit, settle, code } = await nodeOn(fixture);
      const id = await submit('a');
      await settle('succeeded');
      expect(await code(id)).toBe('SUCCEEDED');
      const byKey = await service.explainByKey({ ...queue, key: 'a' });
      expect(byKey).toMatchObject({ details: { snapshot: { id } }, verdict: { code: 'SUCCEEDED' } });
      const notFound = { code: 'NOT_FOUND', reason: 'TASK_NOT_FOUND' };
      await expect(service.explain('acme', id)).rejects.toMatchObject(notFound);
      await expect(service.explainByKey({ ...queue, key: 'b' })).rejects.toMatchObject(notFound);
    },
  );
};
