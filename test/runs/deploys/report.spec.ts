import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../../../src/core/task/event.ts';
import type { TaskRecord } from './judge.ts';
import type { HandlerCall } from './ledger.ts';
import { reportOf } from './report.ts';
import type { RunOutcome } from './run.ts';

const submitted: TaskEvent = {
  ...{ kind: 'submitted', atMs: 0, runAtMs: undefined, deadlineAtMs: undefined },
  ...{ lifetimeEndAtMs: undefined, inLane: false },
};
const claimed = (atMs: number): TaskEvent => ({
  ...{
    kind: 'claimed',
    atMs,
    fencingToken: 1,
    attempt: 1,
    worker: 'host/7/id',
    timeoutAtMs: 60_000,
    begins: true,
  },
});
const succeeded: TaskEvent = { kind: 'succeeded', atMs: 9_000, fencingToken: 1, resultBytes: 0 };
const died: TaskEvent = {
  ...{ kind: 'died', atMs: 9_000, fencingToken: undefined, reason: 'workerLost', message: '' },
  ...{ errorType: '', holdsLane: false },
};
const task = (id: string, ...events: readonly TaskEvent[]): TaskRecord => ({
  ...{ id, queue: 'q', type: 't', maxAttempts: 5, events: [submitted, ...events] },
});
const call = (id: string, beganAtMs: number): HandlerCall => ({
  ...{ id, fencingToken: 1, attempt: 1, pid: 7, beganAtMs, end: { atMs: beganAtMs + 1, how: 'well' } },
});

/** Returns the outcome of a run with the poison and one task that began at this time. */
function outcome(beganAtMs: number, some: Partial<RunOutcome> = {}): RunOutcome {
  const end = { atMs: 2, how: 'byItself' } as const;
  return {
    engine: 'sqlite',
    acknowledged: ['poison', 'a'],
    tasks: [task('poison', claimed(1), died), task('a', claimed(beganAtMs), succeeded)],
    calls: [call('poison', 1), call('a', beganAtMs)],
    workers: [
      { pid: 7, kind: 'sdk', slots: 8, readyAtMs: 0, stoppedAtMs: undefined, end },
      { pid: 8, kind: 'sdk', slots: 8, readyAtMs: 2, stoppedAtMs: undefined, end: undefined },
    ],
    poison: 'poison',
    ...{ serverKillsAtMs: [], recalls: [], cancelled: new Set(), pauses: [], problems: [] },
    phases: [{ name: 'servers stopped', isOrderly: true, fromMs: 0, untilMs: 10_000 }],
    ...{ longestServerStopMs: 0, longestWorkerStopMs: 0 },
    ...some,
  };
}

describe('the report of deploys', () => {
  it('is good if no column has a fault and the longest gap of the orderly phases is in bounds', () => {
    const report = reportOf(outcome(2_000));
    expect(report).toMatchObject({ tasks: 2, longestGapMs: 1_999, isGood: true });
  });

  it('is not good because of a gap of more than 3 s in an orderly phase, and only there', () => {
    expect(reportOf(outcome(3_500))).toMatchObject({ longestGapMs: 3_499, isGood: false });
    const phases = [{ name: 'servers killed', isOrderly: false, fromMs: 0, untilMs: 10_000 }];
    expect(reportOf(outcome(3_500, { phases }))).toMatchObject({ longestGapMs: 0, isGood: true });
  });

  it('is not good because of a fault in a column, a problem of the run, or a poison that did not die', () => {
    expect(reportOf(outcome(1, { acknowledged: ['poison', 'a', 'b'] }))).toMatchObject({
      ...{ counts: { lost: 1 }, isGood: false },
    });
    const late = reportOf(outcome(1, { problems: ['a server was killed'] }));
    expect(late.isGood).toBe(false);
    expect(late.lines).toContain('problem: a server was killed');
    const alive = outcome(1, { tasks: [task('a', claimed(1), succeeded)], acknowledged: ['a'] });
    expect(reportOf(alive).isGood).toBe(false);
  });
});
