import type { Submission } from '../../../src/core/submission/submission.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Head } from '../../../src/core/task/head.ts';
import type { Snapshot, TaskId } from '../../../src/ports/task-store.ts';

/** The invariants' own copy of a task, built from committed writes alone and kept beside the store. */
export interface ShadowTask {
  readonly id: TaskId;
  readonly key: string;
  readonly submission: Submission;
  readonly lane: string | undefined;
  laneSeq: number;
  /** The fold of the task's committed events. */
  folded: Head;
  revision: number;
  leaseEndAtMs: number | undefined;
  /** The head that was last written to the store. */
  head: Head;
  acknowledged: boolean;
  /** The fencing tokens of the attempts that succeeded. There must be at most one. */
  readonly winners: number[];
  /** True if the task was ever dead or cancelled. */
  failed: boolean;
}

export function shadowTaskOf({ id, head, laneSeq, submission }: Snapshot): ShadowTask {
  const { scope, orderingKey, submitted } = submission;
  return {
    id,
    key: scope.key,
    submission,
    lane: orderingKey === undefined ? undefined : `${scope.queue}/${orderingKey}`,
    laneSeq: laneSeq ?? 0,
    folded: fold([submitted]),
    revision: 1,
    leaseEndAtMs: undefined,
    head,
    acknowledged: false,
    winners: [],
    failed: false,
  };
}
