import { describe, expect, it } from 'vitest';
import type {
  Claimed,
  Failed,
  LeaseExpired,
  Submitted,
  Succeeded,
  TaskEvent,
} from '../../../src/core/task/event.ts';
import { type Evidence, judge, type TaskRecord } from './judge.ts';
import { quantile, startLatencies } from './latency.ts';

const claimed = (atMs: number, fencingToken: number): Claimed => ({
  ...{ kind: 'claimed', atMs, fencingToken, attempt: 1, worker: 'w', timeoutAtMs: atMs + 60_000 },
});
const succeeded = (atMs: number, fencingToken: number): Succeeded => ({
  ...{ kind: 'succeeded', atMs, fencingToken, resultBytes: 0 },
});
const failed = (atMs: number, fencingToken: number): Failed => ({
  ...{ kind: 'failed', atMs, fencingToken, retryAtMs: atMs, message: '', errorType: '' },
});
const expired = (atMs: number, fencingToken: number): LeaseExpired => ({
  kind: 'leaseExpired',
  atMs,
  fencingToken,
});
const submitted: Submitted = {
  ...{ kind: 'submitted', atMs: 0, runAtMs: undefined, deadlineAtMs: undefined },
  ...{ lifetimeEndAtMs: undefined, inLane: true },
};

/** Its lane's number is that of its id: `ann-1` is the first in the lane `ann`. */
function task(id: string, ...events: TaskEvent[]): TaskRecord {
  const [lane = '', seq = ''] = id.split('-');
  const last = events.at(-1);
  const endedAtMs = last?.kind === 'succeeded' || last?.kind === 'cancelled' ? last.atMs : undefined;
  return { id, lane, seq: Number(seq), acceptedAtMs: 0, endedAtMs, events: [submitted, ...events] };
}

const done = (id: string, fromMs: number, untilMs: number): TaskRecord =>
  task(id, claimed(fromMs, fromMs), succeeded(untilMs, fromMs));
const begun = (id: string, token: number, beganAtMs: number, endedAtMs?: number) => ({
  ...{ id, token, worker: 'w', beganAtMs, endedAtMs },
});
const said = (id: string, sentAtMs: number, acknowledgedAtMs: number) => ({
  ...{ id, lane: id.split('-')[0] ?? '', sentAtMs, acknowledgedAtMs },
});
const verdictOn = (some: Partial<Evidence>) => judge({ tasks: [], acknowledged: [], begun: [], ...some });
const nothing = { startedEarly: [], committedEarly: [], overlapping: [], strays: [] };

describe('the judge of lanes', () => {
  it('finds nothing where each starts once those before it have ended, retried and expired ones too', () => {
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
    const work = [begun('ann-1', 1, 11, 19), begun('ann-1', 2, 31), begun('ann-1', 3, 41, 49)];
    expect(verdictOn({ tasks, begun: work })).toEqual(nothing);
  });

  it('finds one that was claimed while one before it waited for its next attempt', () => {
    const tasks = [
      task('ann-1', claimed(10, 1), failed(20, 1), claimed(40, 2), succeeded(50, 2)),
      done('ann-2', 25, 30),
    ];
    expect(verdictOn({ tasks })).toEqual({ ...nothing, startedEarly: ['ann-2'] });
  });

  it('finds one that started although one before it never ended', () => {
    const tasks = [task('ann-1'), done('ann-2', 25, 30)];
    expect(verdictOn({ tasks }).startedEarly).toEqual(['ann-2']);
  });

  it('finds two leases of a lane at one time', () => {
    const tasks = [done('ann-1', 10, 30), done('ann-2', 29, 40)];
    expect(verdictOn({ tasks })).toEqual({ ...nothing, startedEarly: ['ann-2'], overlapping: ['ann-2'] });
  });

  it('finds two handlers at work in a lane, whatever the histories say', () => {
    const tasks = [done('ann-1', 10, 30), done('ann-2', 30, 40)];
    const work = [begun('ann-1', 10, 12, 28), begun('ann-2', 30, 20, 39)];
    const verdict = verdictOn({ tasks, begun: work });
    expect(verdict).toEqual({ ...nothing, startedEarly: ['ann-2'], overlapping: ['ann-2'] });
  });

  it('allows a worker that lost its lease to go on: effects are fenced, not ordered', () => {
    const tasks = [
      task('ann-1', claimed(10, 1), expired(40, 1), claimed(40, 2), succeeded(50, 2)),
      done('ann-2', 50, 60),
    ];
    const work = [begun('ann-1', 1, 11, 59), begun('ann-1', 2, 41, 49), begun('ann-2', 50, 51, 58)];
    expect(verdictOn({ tasks, begun: work })).toEqual(nothing);
  });

  it('finds an attempt that no history knows', () => {
    const tasks = [done('ann-1', 10, 30)];
    const work = [begun('ann-1', 10, 11, 20), begun('ann-1', 11, 21, 22), begun('eve-1', 1, 1, 2)];
    expect(verdictOn({ tasks, begun: work }).strays.toSorted()).toEqual(['ann-1', 'eve-1']);
  });

  it('finds numbers that are not in the order of commits: sent after a later one was acknowledged', () => {
    const tasks = [done('ann-1', 10, 20), done('ann-2', 20, 30), done('ann-3', 30, 40)];
    const acknowledged = [said('ann-1', 6, 8), said('ann-2', 1, 5), said('ann-3', 2, 9)];
    expect(verdictOn({ tasks, acknowledged })).toEqual({ ...nothing, committedEarly: ['ann-1'] });
    const together = [said('ann-1', 4, 8), said('ann-2', 1, 5), said('ann-3', 2, 9)];
    expect(verdictOn({ tasks, acknowledged: together })).toEqual(nothing);
  });

  it('measures a start from when its turn came', () => {
    const tasks = [done('ann-1', 10, 20), done('ann-2', 25, 30), done('bob-1', 3, 9)];
    expect(startLatencies(tasks)).toEqual([3, 5, 10]);
    expect([quantile([3, 5, 10], 0.5), quantile([3, 5, 10], 0.99), quantile([], 0.5)]).toEqual([5, 10, 0]);
  });
});
