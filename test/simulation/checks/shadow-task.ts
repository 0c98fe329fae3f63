import type { Submission } from '../../../src/core/submission/submission.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import type { Head } from '../../../src/core/task/head.ts';
import type { Snapshot, TaskId } from '../../../src/ports/task-store.ts';

/** A claim of a task, as its event recorded it. */
export interface ShadowClaim {
  /** The number of the redrives and snoozes before the claim: a task with one attempt may begin once in each era. */
  readonly era: number;
  /** True if the claiming worker begins at once what it claims. */
  readonly begins: boolean;
  /** True once the store has recorded, by a heartbeat, that the handler is called. */
  isBegunStored: boolean;
}

/** A copy of a task that the simulation builds from the committed writes alone and compares with the task in the store. */
export interface ShadowTask {
  readonly id: TaskId;
  readonly key: string;
  readonly submission: Submission;
  readonly lane: string | undefined;
  laneSeq: number;
  /** The state of the task, computed from the task's committed events. */
  folded: Head;
  revision: number;
  leaseEndAtMs: number | undefined;
  /** The state of the task that was last written to the store. */
  head: Head;
  acknowledged: boolean;
  /** The fencing tokens of the task's attempts that succeeded. At most one attempt may succeed. */
  readonly winners: number[];
  /** The claims of the task by their fencing tokens. */
  readonly claims: Map<number, ShadowClaim>;
  era: number;
  wasRedriven: boolean;
  /** The number of used attempts since the submission or the last redrive, counted from the events that use one. */
  used: number;
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
    claims: new Map(),
    era: 0,
    wasRedriven: false,
    used: 0,
    failed: false,
  };
}
