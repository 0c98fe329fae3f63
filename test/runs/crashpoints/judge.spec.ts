import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { type Found, laneProblems, lifeProblems } from './judge.ts';

const submitted: TaskEvent = {
  kind: 'submitted',
  atMs: 0,
  runAtMs: undefined,
  deadlineAtMs: undefined,
  lifetimeEndAtMs: undefined,
  inLane: true,
};
const claimed = (fencingToken: number, attempt = 1) =>
  ({ kind: 'claimed', atMs: fencingToken, fencingToken, attempt, worker: 'w', timeoutAtMs: 1_000 }) as const;
const expired = (fencingToken: number) =>
  ({ kind: 'leaseExpired', atMs: fencingToken + 1, fencingToken }) as const;
const succeeded = (fencingToken: number) =>
  ({ kind: 'succeeded', atMs: fencingToken + 1, fencingToken, resultBytes: 0 }) as const;

function found(key: string, ...events: readonly TaskEvent[]): Found {
  const all = [submitted, ...events];
  return { key, head: fold(all), events: all };
}
const told = (...events: readonly TaskEvent[]) => lifeProblems(found('a', ...events));

describe('a life is judged', () => {
  it('good where each lease has its end, and the task too', () => {
    expect(told(claimed(1), expired(1), claimed(2, 2), succeeded(2))).toEqual([]);
  });

  it('stuck where it has not ended', () => {
    expect(told()).toEqual(['a is stuck: waiting']);
    expect(told(claimed(1))).toEqual(['a is stuck: running']);
  });

  it('doubled where two leases stood at once, or it ended twice', () => {
    expect(told(claimed(1), claimed(2, 2), succeeded(2))).toEqual(['a was claimed under a lease that stood']);
    expect(told(claimed(1), succeeded(1), succeeded(1))).toEqual(["a has 'succeeded' after its end"]);
    expect(told(claimed(2), expired(2), claimed(1, 2), succeeded(1))).toEqual([
      'a was claimed with a token that did not rise',
    ]);
  });

  it('torn where its head is not what its events make', () => {
    const good = found('a', claimed(1), succeeded(1));
    const torn = { ...good, head: { ...good.head, version: 2 } };
    expect(lifeProblems(torn)).toEqual(['a has version 2, its events make it 3']);
  });
});

describe('a lane is judged', () => {
  const first = found('a', claimed(10), succeeded(10));

  it('good where each begins after the one before has ended', () => {
    expect(laneProblems([first, found('b', claimed(11), succeeded(11))])).toEqual([]);
  });

  it('reordered where one begins before', () => {
    expect(laneProblems([first, found('b', claimed(10), succeeded(12))])).toEqual([
      'b began before a had ended',
    ]);
    expect(laneProblems([found('a'), first])).toEqual(['a began before a had ended']);
  });
});
