import { describe, expect, it } from 'vitest';
import type {
  ClaimedEvent,
  FailedEvent,
  LeaseExpiredEvent,
  SubmittedEvent,
  SucceededEvent,
  TaskEvent,
} from '../../../src/core/task/event.ts';
import { type Evidence, judge, type TaskRecord } from './judge.ts';
import { quantile, startLatencies } from './latency.ts';

const claimed = (atMs: number, fencingToken: number): ClaimedEvent => ({
  ...{
    kind: 'claimed',
    atMs,
    fencingToken,
    attempt: 1,
    worker: 'w',
    timeoutAtMs: atMs + 60_000,
    begins: true,
  },
});
const succeeded = (atMs: number, fencingToken: number): SucceededEvent => ({
  ...{ kind: 'succeeded', atMs, fencingToken, resultBytes: 0 },
});
const failed = (atMs: number, fencingToken: number): FailedEvent => ({
  ...{ kind: 'failed', atMs, fencingToken, retryAtMs: atMs, message: '', errorType: '' },
});
const expired = (atMs: number, fencingToken: number): LeaseExpiredEvent => ({
  kind: 'leaseExpired',
  atMs,
  fencingToken,
  begun: 'yes',
  alone: false,
  countsAsLoss: true,
  retryAtMs: undefined,
});
const submitted: SubmittedEvent = {
  ...{ kind: 'submitted', atMs: 0, runAtMs: undefined, deadlineAtMs: undefined },
  ...{ lifetimeEndAtMs: undefined, inLane: true },
};

/** Returns a task whose id names its lane and its place in it: `ann-1` is the first task of the lane `ann`. */
function task(id: string, ...events: TaskEvent[]): TaskRecord {
  const [lane = '', seq = ''] = id.split('-');
  const last = events.at(-1);
  const endedAtMs = last?.kind === 'succeeded' || last?.kind === 'cancelled' ? last.atMs : undefined;
  return { id, lane, seq: Number(seq), acceptedAtMs: 0, endedAtMs, events: [submitted, ...events] };
}

const done = (id: string, fromMs: number, untilMs: number): TaskRecord =>
  task(id, claimed(fromMs, fromMs), succeeded(untilMs, fromMs));
const attempt = (id: string, fencingToken: number, beganAtMs: number, endedAtMs?: number) => ({
  ...{ id, fencingToken, worker: 'w', beganAtMs, endedAtMs },
});
const acknowledgement = (id: string, sentAtMs: number, acknowledgedAtMs: number) => ({
  ...{ id, lane: id.split('-')[0] ?? '', sentAtMs, acknowledgedAtMs },
});
const judgementOf = (some: Partial<Evidence>) => judge({ tasks: [], acknowledged: [], begun: [], ...some });
const nothing = { startedEarly: [], committedEarly: [], overlapping: [], strays: [] };

describe('the judge of lanes', () => {
  it('finds no fault if each task starts after all earlier tasks of its lane have ended, retries and expired leases included', () => {
    const tasks = [
      task(
        'ann-1',
        claimed(10, 1),
        failed(20, 1),
        claimed(30, 2),
        expired(40, 2),
        claimed(40, 3),
        succeeded(50, 3),
      ),
      done('ann-2', 50, 60),
      done('bob-1', 15, 55),
    ];
    const work = [attempt('ann-1', 1, 11, 19), attempt('ann-1', 2, 31), attempt('ann-1', 3, 41, 49)];
    expect(judgementOf({ tasks, begun: work })).toEqual(nothing);
  });

  it('finds a task that was claimed while the previous task of its lane waited for its next attempt', () => {
    const tasks = [
      task('ann-1', claimed(10, 1), failed(20, 1), claimed(40, 2), succeeded(50, 2)),
      done('ann-2', 25, 30),
    ];
    expect(judgementOf({ tasks })).toEqual({ ...nothing, startedEarly: ['ann-2'] });
  });

  it('finds a task that started although the previous task of its lane never ended', () => {
    const tasks = [task('ann-1'), done('ann-2', 25, 30)];
    expect(judgementOf({ tasks }).startedEarly).toEqual(['ann-2']);
  });

  it('finds two leases of one lane at the same time', () => {
    const tasks = [done('ann-1', 10, 30), done('ann-2', 29, 40)];
    expect(judgementOf({ tasks })).toEqual({ ...nothing, startedEarly: ['ann-2'], overlapping: ['ann-2'] });
  });

  it('finds two handlers that ran in one lane at the same time, even if the histories show no overlap', () => {
    const tasks = [done('ann-1', 10, 30), done('ann-2', 30, 40)];
    const work = [attempt('ann-1', 10, 12, 28), attempt('ann-2', 30, 20, 39)];
    const judgement = judgementOf({ tasks, begun: work });
    expect(judgement).toEqual({ ...nothing, startedEarly: ['ann-2'], overlapping: ['ann-2'] });
  });

  it('allows a handler to run on after its lease was lost', () => {
    const tasks = [
      task('ann-1', claimed(10, 1), expired(40, 1), claimed(40, 2), succeeded(50, 2)),
      done('ann-2', 50, 60),
    ];
    const work = [attempt('ann-1', 1, 11, 59), attempt('ann-1', 2, 41, 49), attempt('ann-2', 50, 51, 58)];
    expect(judgementOf({ tasks, begun: work })).toEqual(nothing);
  });

  it('finds an attempt that is in the history of no task', () => {
    const tasks = [done('ann-1', 10, 30)];
    const work = [attempt('ann-1', 10, 11, 20), attempt('ann-1', 11, 21, 22), attempt('eve-1', 1, 1, 2)];
    expect(judgementOf({ tasks, begun: work }).strays.toSorted()).toEqual(['ann-1', 'eve-1']);
  });

  it('finds a task that was sent after another task was acknowledged, and yet stands before that task in the lane', () => {
    const tasks = [done('ann-1', 10, 20), done('ann-2', 20, 30), done('ann-3', 30, 40)];
    const acknowledged = [
      acknowledgement('ann-1', 6, 8),
      acknowledgement('ann-2', 1, 5),
      acknowledgement('ann-3', 2, 9),
    ];
    expect(judgementOf({ tasks, acknowledged })).toEqual({ ...nothing, committedEarly: ['ann-1'] });
    const together = [
      acknowledgement('ann-1', 4, 8),
      acknowledgement('ann-2', 1, 5),
      acknowledgement('ann-3', 2, 9),
    ];
    expect(judgementOf({ tasks, acknowledged: together })).toEqual(nothing);
  });

  it('measures the latency of a start from the end of the task before it in the lane', () => {
    const tasks = [done('ann-1', 10, 20), done('ann-2', 25, 30), done('bob-1', 3, 9)];
    expect(startLatencies(tasks)).toEqual([3, 5, 10]);
    expect([quantile([3, 5, 10], 0.5), quantile([3, 5, 10], 0.99), quantile([], 0.5)]).toEqual([5, 10, 0]);
  });
});
