import type { Submission } from '../../../src/core/submission/submission.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Head } from '../../../src/core/task/head.ts';
import type { Snapshot, TaskId } from '../../../src/ports/task-store.ts';

/** A task as the invariants see it: kept beside the store, out of committed writes alone. */
export interface Seen {
  readonly id: TaskId;
  readonly key: string;
  readonly submission: Submission;
  readonly lane: string | undefined;
  laneSeq: number;
  /** The fold of its events. */
  folded: Head;
  revision: number;
  leaseEndAtMs: number | undefined;
  /** The store's, as last written. */
  head: Head;
  acknowledged: boolean;
  /** Tokens of the attempts that ended it well: one at most. */
  readonly winners: number[];
  /** Was dead or cancelled at some time. */
  failed: boolean;
}

export function seenOf({ id, head, laneSeq, submission }: Snapshot): Seen {
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
