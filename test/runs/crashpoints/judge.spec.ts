import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { type FinalTask, laneProblems, lifeProblems } from './judge.ts';

const submitted: TaskEvent = {
  kind: 'submitted',
  atMs: 0,
  runAtMs: undefined,
  deadlineAtMs: undefined,
  lifetimeEndAtMs: undefined,
  inLane: true,
};
const claimed = (fencingToken: number, attempt = 1) =>
  ({
    kind: 'claimed',
    atMs: fencingToken,
    fencingToken,
    attempt,
    worker: 'w',
    timeoutAtMs: 1_000,
    begins: true,
  }) as const;
const expired = (fencingToken: number) =>
  ({
    kind: 'leaseExpired',
    atMs: fencingToken + 1,
    fencingToken,
    begun: 'yes',
    alone: false,
    countsAsLoss: true,
    retryAtMs: undefined,
  }) as const;
const succeeded = (fencingToken: number) =>
  ({ kind: 'succeeded', atMs: fencingToken + 1, fencingToken, resultBytes: 0 }) as const;

function finalTask(key: string, ...events: readonly TaskEvent[]): FinalTask {
  const all = [submitted, ...events];
  return { key, head: fold(all), events: all };
}
const problemsOf = (...events: readonly TaskEvent[]) => lifeProblems(finalTask('a', ...events));

describe('the judge of a task', () => {
  it('finds no problem if each lease and the task have ended', () => {
    expect(problemsOf(claimed(1), expired(1), claimed(2, 2), succeeded(2))).toEqual([]);
  });

  it('finds a task that has not ended', () => {
    expect(problemsOf()).toEqual(['a is stuck: waiting']);
    expect(problemsOf(claimed(1))).toEqual(['a is stuck: running']);
  });

  it('finds two leases at once, a second end, and a fencing token that does not rise', () => {
    expect(problemsOf(claimed(1), claimed(2, 2), succeeded(2))).toEqual([
      'a was claimed while another lease was held',
    ]);
    expect(problemsOf(claimed(1), succeeded(1), succeeded(1))).toEqual(["a has 'succeeded' after its end"]);
    expect(problemsOf(claimed(2), expired(2), claimed(1, 2), succeeded(1))).toEqual([
      'a was claimed with a fencing token that did not rise',
    ]);
  });

  it('finds a head that differs from the folded events', () => {
    const good = finalTask('a', claimed(1), succeeded(1));
    const torn = { ...good, head: { ...good.head, version: 2 } };
    expect(lifeProblems(torn)).toEqual(['a has version 2, its events make it 3']);
  });
});

describe('the judge of a lane', () => {
  const first = finalTask('a', claimed(10), succeeded(10));

  it('finds no problem if each task begins after the previous task of the lane has ended', () => {
    expect(laneProblems([first, finalTask('b', claimed(11), succeeded(11))])).toEqual([]);
  });

  it('finds a task that begins although the previous task of the lane has not ended', () => {
    expect(laneProblems([first, finalTask('b', claimed(10), succeeded(12))])).toEqual([
      'b began before a had ended',
    ]);
    expect(laneProblems([finalTask('a'), first])).toEqual(['a began before a had ended']);
  });
});
