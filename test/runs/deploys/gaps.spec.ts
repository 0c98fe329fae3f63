import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { type Course, gapsOf, runnableSpans } from './gaps.ts';
import type { TaskRecord, WorkerRecord } from './judge.ts';
import type { HandlerCall } from './ledger.ts';

const submitted = (atMs: number): TaskEvent => ({
  ...{ kind: 'submitted', atMs, runAtMs: undefined, deadlineAtMs: undefined },
  ...{ lifetimeEndAtMs: undefined, inLane: false },
});
const claimed = (atMs: number, fencingToken: number): TaskEvent => ({
  ...{
    kind: 'claimed',
    atMs,
    fencingToken,
    attempt: 1,
    worker: 'host/7/id',
    timeoutAtMs: atMs + 60_000,
    begins: true,
  },
});
const succeeded = (atMs: number, fencingToken: number): TaskEvent => ({
  ...{ kind: 'succeeded', atMs, fencingToken, resultBytes: 0 },
});
const expired = (atMs: number, fencingToken: number): TaskEvent => ({
  ...{
    kind: 'leaseExpired',
    atMs,
    fencingToken,
    begun: 'yes',
    alone: false,
    countsAsLoss: true,
    retryAtMs: undefined,
  },
});
const failed = (atMs: number, retryAtMs: number): TaskEvent => ({
  ...{ kind: 'failed', atMs, retryAtMs, fencingToken: 1, message: '', errorType: '' },
});
const call = (id: string, beganAtMs: number, endedAtMs?: number): HandlerCall => ({
  ...{ id, fencingToken: beganAtMs, attempt: 1, pid: 7, beganAtMs },
  end: endedAtMs === undefined ? undefined : { atMs: endedAtMs, how: 'well' },
});
const task = (id: string, events: readonly TaskEvent[], type = 't', queue = 'q'): TaskRecord => ({
  ...{ id, queue, type, maxAttempts: 5, events },
});
const worker = (slots: number, more: Partial<WorkerRecord> = {}): WorkerRecord => ({
  ...{ pid: 7, kind: 'sdk', slots, readyAtMs: 0, stoppedAtMs: undefined, end: undefined },
  ...more,
});

/** Returns a task that was accepted and whose handler ran at these times. */
const done = (id: string, acceptedAtMs: number, fromMs: number, untilMs: number): TaskRecord =>
  task(id, [submitted(acceptedAtMs), claimed(fromMs, fromMs), succeeded(untilMs, fromMs)]);

function longestGap(course: Partial<Course>): number {
  const all = { tasks: [], calls: [], workers: [worker(2)], pauses: [], poison: '', ...course };
  return Math.max(0, ...gapsOf(all).map(({ fromMs, untilMs }) => untilMs - fromMs));
}

describe('a task could run', () => {
  it('from its acceptance until its handler began, whether it was claimed or not', () => {
    expect(runnableSpans(done('a', 0, 10, 90), [call('a', 30, 90)])).toEqual([{ fromMs: 0, untilMs: 30 }]);
  });

  it('again from the time of its next attempt after a failure, and from the expiry of a lease', () => {
    const events = [submitted(0), claimed(5, 1), failed(20, 50), claimed(55, 2), expired(100, 2)];
    expect(runnableSpans(task('a', events), [call('a', 10), call('a', 60)])).toEqual([
      { fromMs: 0, untilMs: 10 },
      { fromMs: 50, untilMs: 60 },
      { fromMs: 100, untilMs: Number.POSITIVE_INFINITY },
    ]);
  });

  it('from its release on, as before, if its handler had not begun', () => {
    const released: TaskEvent = {
      ...{ kind: 'claimReleased', atMs: 7, fencingToken: 5, countsAsRelease: false, retryAtMs: undefined },
    };
    const events = [submitted(0), claimed(5, 5), released, claimed(40, 40), succeeded(90, 40)];
    expect(runnableSpans(task('a', events), [call('a', 41, 90)])).toEqual([{ fromMs: 0, untilMs: 41 }]);
  });

  it('until it was cancelled', () => {
    const cancelled: TaskEvent = {
      ...{ kind: 'cancelled', atMs: 8, fencingToken: undefined, actor: '', message: '' },
    };
    expect(runnableSpans(task('a', [submitted(0), cancelled]), [])).toEqual([{ fromMs: 0, untilMs: 8 }]);
  });
});

describe('the longest gap', () => {
  it('is the longest time between two begins while a task could run and a slot was free', () => {
    const tasks = [done('a', 0, 10, 20), done('b', 0, 500, 510), done('c', 0, 600, 610)];
    const calls = [call('a', 10, 20), call('b', 500, 510), call('c', 600, 610)];
    expect(longestGap({ tasks, calls })).toBe(490);
  });

  it('does not count a time without a task that could run', () => {
    const tasks = [done('a', 0, 10, 20), done('b', 480, 500, 510)];
    expect(longestGap({ tasks, calls: [call('a', 10, 20), call('b', 500, 510)] })).toBe(20);
  });

  it('does not count a time in which all slots were taken, in one worker or because others were stopped', () => {
    const tasks = [done('a', 0, 10, 400), done('b', 0, 405, 410)];
    const calls = [call('a', 10, 400), call('b', 405, 410)];
    expect(longestGap({ tasks, calls, workers: [worker(1)] })).toBe(10);
    const stopped = worker(8, { pid: 9, stoppedAtMs: 5 });
    expect(longestGap({ tasks, calls, workers: [worker(1), stopped] })).toBe(10);
    expect(longestGap({ tasks, calls, workers: [worker(1), worker(1, { pid: 9 })] })).toBe(395);
  });

  it('counts the free slots of one worker although handlers still run in another one that was stopped', () => {
    const tasks = [done('a', 0, 10, 400), done('b', 0, 405, 410)];
    const workers = [worker(1, { stoppedAtMs: 20 }), worker(1, { pid: 9, readyAtMs: 100 })];
    expect(longestGap({ tasks, calls: [call('a', 10, 400), call('b', 405, 410)], workers })).toBe(305);
  });

  it('does not count a task of a paused queue, of a type that is limited in each worker, nor the poison', () => {
    const late = [submitted(0), claimed(900, 900), succeeded(910, 900)];
    const calls = [call('a', 900, 910)];
    expect(longestGap({ tasks: [task('a', late)], calls })).toBe(900);
    const pauses = [{ queue: 'q', fromMs: 100, untilMs: 850 }];
    expect(longestGap({ tasks: [task('a', late)], calls, pauses })).toBe(100);
    expect(longestGap({ tasks: [task('a', late, 'deploys-single')], calls })).toBe(0);
    expect(longestGap({ tasks: [task('a', late)], calls, poison: 'a' })).toBe(0);
  });
});
