/** Judges a run of `npm run alb`. */
import { type Evidence, type Fault, judge, type TaskRecord } from '../deploys/judge.ts';

export interface AlbJudgement {
  readonly leasesLost: readonly Fault[];
  readonly lost: readonly Fault[];
  /** Tasks that are dead, that used an attempt without a begin, or that may begin once and began twice. */
  readonly others: readonly Fault[];
  /**
   * Tasks that may begin only once, and whose assignments were on their way when their streams were cut and their server was
   * stopped. No fault: nobody can know whether such a task has begun, so it is left to its lease, and is dead after that.
   */
  readonly unknown: readonly TaskRecord[];
}

/** `stopsAtMs` are the times of the SIGTERMs that came right after the streams of the server were cut. */
export function judgeAlb(evidence: Evidence, stopsAtMs: readonly number[]): AlbJudgement {
  const called = new Set(evidence.calls.map(({ id }) => id));
  const unknown = evidence.tasks.filter(
    ({ id, maxAttempts, events }) =>
      maxAttempts === 1 && !called.has(id) && wasAssignedAtStop(events, stopsAtMs),
  );
  const isUnknown = ({ id }: { readonly id: string }): boolean => unknown.some((task) => task.id === id);
  const judged = judge({ ...evidence, tasks: evidence.tasks.filter((task) => !isUnknown(task)) });
  return {
    leasesLost: judged.leasesLost,
    lost: judged.lost.filter((fault) => !isUnknown(fault)),
    others: [...judged.innocentsDead, ...judged.attemptsNotBegun, ...judged.begunTwice],
    unknown,
  };
}

/** Whether a claim of the task had not ended when a server was stopped, and its lease expired after that. */
function wasAssignedAtStop(events: TaskRecord['events'], stopsAtMs: readonly number[]): boolean {
  return events.some((event, i) => {
    const claim = events[i - 1];
    if (event.kind !== 'leaseExpired' || claim?.kind !== 'claimed') return false;
    return stopsAtMs.some((stopMs) => stopMs >= claim.atMs && stopMs <= event.atMs);
  });
}
