import type { HoldfastError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { Scope, Submission } from '../core/submission/submission.ts';
import type { ClaimedEvent, TaskEvent } from '../core/task/event.ts';
import type { Head, ListedState, Progress } from '../core/task/head.ts';

/**
 * The id of one accepted task. Only the engine that made the id in `accept` can interpret it, and no other task ever
 * gets the same id.
 */
export type TaskId = string;

export interface LaneKey extends QueueRef {
  readonly orderingKey: string;
}

/** A task as one read returned it: submission, head, and the newest events. */
export interface Snapshot {
  readonly id: TaskId;
  readonly submission: Submission;
  /**
   * The task's place in its lane (the tasks with the same ordering key); places rise in commit order. A
   * redrive of a task that has left its lane gives the task a new place. The place is undefined if the task
   * has no ordering key.
   */
  readonly laneSeq: number | undefined;
  readonly head: Head;
  /**
   * The events of the task after the submission, oldest first. An engine may move older events elsewhere; the list then
   * has only the newest ones.
   */
  readonly tip: readonly TaskEvent[];
}

/** One submission that the store is asked to accept, with the head of its new task. */
export interface Acceptance {
  readonly submission: Submission;
  /** The head of the new task: after the event `submitted`, or after the events `submitted` and `claimed`. */
  readonly head: Head;
  /**
   * The task's first claim, if it is claimed in the same commit (`can.claimOnAccept`). The task is then stored at
   * revision 2, as if two writes had been made. It is never set for a task with an ordering key: only after the commit
   * is it known whether that task is the first of its lane.
   */
  readonly claimed?: ClaimedEvent | undefined;
}

export type AcceptOutcome =
  | { readonly kind: 'fresh'; readonly snapshot: Snapshot }
  /** Another task has the idempotency key; `snapshot` is that task. */
  | { readonly kind: 'existing'; readonly snapshot: Snapshot }
  | { readonly kind: 'failed'; readonly error: HoldfastError };

/**
 * A change of one task: the events to append, and the head after them. The list of events is empty if the
 * change only makes the task ready, or only records that the next task of its lane was dispatched.
 */
export interface Transition {
  readonly kind: 'transition';
  readonly id: TaskId;
  /**
   * The condition of the write. A settlement by the lease's holder names `fencingToken` and `version`,
   * because heartbeats raise the revision between the claim and the settlement. Every other writer names the
   * `revision` that it read.
   */
  readonly expect:
    | { readonly revision: number }
    | { readonly fencingToken: number; readonly version: number };
  readonly events: readonly TaskEvent[];
  /** The new head, written whole. Its `revision` is ignored: the store writes the stored revision plus 1. */
  readonly head: Head;
  /** The result of a success, as the bytes of a `holdfast.v1.Payload`. */
  readonly result: Uint8Array | undefined;
  /**
   * True for a redrive of a task that has left its lane: the same transaction puts the task at the end of the
   * lane.
   */
  readonly rejoinLane: boolean;
}

/** The change that a heartbeat makes. It is written if the task is running under the expected fencing token. */
export interface LeaseRenewal {
  readonly kind: 'renewal';
  readonly id: TaskId;
  readonly expect: { readonly fencingToken: number };
  readonly leaseEndAtMs: number;
  /** True if the handler of the attempt was called. False keeps what is stored: an attempt that has begun stays begun. */
  readonly begun: boolean;
  /** The new progress; undefined keeps the stored progress. */
  readonly progress: Progress | undefined;
}

export type Change = Transition | LeaseRenewal;

export type WriteOutcome =
  /** The change was written; `head` is the stored head with its new revision. */
  | { readonly kind: 'done'; readonly head: Head; readonly laneSeq: number | undefined }
  /** The condition of the write failed; `current` is the task as it is now, or undefined if there is no such task. */
  | { readonly kind: 'conflict'; readonly current: Snapshot | undefined }
  | { readonly kind: 'failed'; readonly error: HoldfastError };

export interface TaskFilter extends QueueRef {
  /**
   * `running` lists every task with a lease, also if its handler was not called yet. `retrying` lists tasks that wait
   * after a failure. `unfinished` lists tasks that have not ended, by a cheaper read that may lag behind.
   */
  readonly state?: ListedState | 'retrying' | 'unfinished' | undefined;
  readonly type?: string | undefined;
  readonly tag?: string | undefined;
  /**
   * Lists the unfinished tasks with this ordering key, in the order in which they must run. A list without an
   * ordering key has the newest tasks first.
   */
  readonly orderingKey?: string | undefined;
  readonly acceptedFromMs?: number | undefined;
  /** The end of the time span of acceptance; a task that was accepted at exactly this time is not listed. */
  readonly acceptedUntilMs?: number | undefined;
}

export interface SnapshotPage {
  readonly items: readonly Snapshot[];
  /** The cursor of the next page of tasks. It is undefined on the last page. */
  readonly cursor: string | undefined;
  /** How many tasks were read for this page, at most `limits.pageExamined`. */
  readonly examined: number;
  /** The acceptance time of the task that was read last for this page. It is undefined if no task was read. */
  readonly examinedUntilMs: number | undefined;
}

/** The part of a head that shows whether a task has changed, and its progress. */
export type HeadSummary = Pick<Head, 'revision' | 'version' | 'progress'>;

export interface DueEntry {
  readonly id: TaskId;
  readonly dueAtMs: number;
  /**
   * A text for the task's tenant, and one for its queue, by which entries of different queues differ before their tasks are
   * read: the names, or hashes of them. Empty if an older version wrote the entry.
   */
  readonly tenantTag: string;
  readonly queueTag: string;
}

export interface DuePage {
  readonly entries: readonly DueEntry[];
  /** The due entry after which the next page begins. It is undefined if no other entry was due. */
  readonly next: DueEntry | undefined;
}

export interface LanePointer {
  readonly id: TaskId;
  readonly seq: number;
}

export interface QueueCounts {
  readonly scheduled: number;
  readonly ready: number;
  /** The number of tasks with a lease, also of those whose handler was not called yet. */
  readonly running: number;
  readonly dead: number;
  /** True if the queue has more tasks than the store counts. The counts are then lower bounds. */
  readonly atLeast?: true;
}

/** The ready tasks of one type of a queue. */
export interface ReadyGroup {
  readonly type: string;
  /** The version of the tasks; on a store that does not index versions, that of the oldest one. */
  readonly typeVersion: number;
  /** How many tasks are ready, as far as the store counts them. */
  readonly tasks: number;
  /**
   * Since when one of the tasks has been ready that were accepted first. Undefined if they all wait for their turn in a
   * lane.
   */
  readonly readySinceMs: number | undefined;
}

/**
 * The first fault in the stored history of a task. The submission is event 1; the events before the fault are
 * unchanged.
 */
export interface HistoryFault {
  /**
   * `changed`: this event or the one after it is not as it was written. `missing`: this event does not exist.
   * `uncounted`: this event exists, but the head counts fewer events or does not exist.
   */
  readonly kind: 'changed' | 'missing' | 'uncounted';
  readonly event: number;
}

/** The result of checking the events of a task against their hash chain. */
export interface HistoryVerification {
  /** The task's queue. It is known even if nothing else of the task can be read. */
  readonly queue: QueueRef;
  /** How many events the head counts, the submission included. */
  readonly events: number;
  /** The first fault, or undefined if the history is complete and unchanged. */
  readonly fault: HistoryFault | undefined;
}

/**
 * An event store with one head per task. Every method works on a consistent view and enforces `limits`.
 *
 * A call with several items is not one transaction: each item has its own result, at its own index. A promise is
 * rejected only with a HoldfastError; its `reason` says whether nothing was done or whether the outcome of every item
 * is unknown. No read returns a task after its `expiresAtMs`.
 */
export interface TaskStore {
  readonly can: {
    /**
     * True if dispatch messages and due entries are part of the store's commit; `send` after `accept` then does
     * nothing.
     */
    readonly transactionalDispatch: boolean;
    /** True if the commit that accepts a task can also claim it for a waiting worker, which saves one disk sync. */
    readonly claimOnAccept: boolean;
    /** True if other processes write to the same store, so that a task's state must be read from it. */
    readonly sharedWriters: boolean;
  };
  readonly limits: Limits;
  /**
   * The number of shards of the index of due tasks, as far as this process knows. It never falls. Shards are
   * numbered from 0.
   */
  readonly dueShards: number;
  /**
   * Updates `dueShards`, so that it counts every shard that any process had written to before this call. Returns the
   * new number. The method is absent if the number never changes.
   */
  countDueShards?(): Promise<number>;

  /**
   * Accepts submissions. A submission is accepted if its idempotency key is free: no task has the key, or the
   * newest task with the key has given it up (`isKeyFree` of the core, at the time of this acceptance) and
   * did not change before the write. In one batch the first item with a key wins, and later items with that
   * key are checked against it.
   *
   * A task with an ordering key gets its place in the lane (`laneSeq` and a pointer) in the same transaction.
   * The accepted tasks of one batch and lane get their places in the order given.
   */
  accept(batch: readonly Acceptance[]): Promise<readonly AcceptOutcome[]>;
  /** Writes each change of the batch whose own condition holds. */
  append(batch: readonly Change[]): Promise<readonly WriteOutcome[]>;
  /**
   * Returns the tasks in the order of the ids. An item is undefined if there is no such task or the task has expired.
   */
  read(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]>;
  /**
   * A cheaper `read` for the claim of a task's first delivery. It may return a task that was ready from its
   * submission on as it was submitted, at revision 1, even if the task has changed since. The caller may only
   * try a change on revision 1: if the task has changed, the store refuses the write and returns the current
   * task. Other tasks are returned as by `read`. The method is absent if `read` costs no more.
   */
  readAsSubmitted?(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]>;
  /**
   * Reads only the heads, for callers that poll for changes. An item is undefined if there is no such task, if it has
   * expired, or if it has not changed since its submission. The method is absent if `read` costs no more.
   */
  heads?(ids: readonly TaskId[], nowMs: number): Promise<readonly (HeadSummary | undefined)[]>;
  /** Returns the newest task of an idempotency key, or undefined if there is none or it has expired. */
  byKey(scope: Scope, nowMs: number): Promise<Snapshot | undefined>;
  /**
   * Returns the events of a task with a version above `fromVersion`; the submission is version 1. The list is empty for
   * an unknown task.
   */
  history(id: TaskId, fromVersion: number): Promise<readonly TaskEvent[]>;
  /**
   * Checks that the events of a task are as they were written, by the hash of the preceding event that each event
   * carries. Returns undefined if there is no such task. The method is absent if the store keeps no hash chain.
   */
  verify?(id: TaskId, nowMs: number): Promise<HistoryVerification | undefined>;
  /** Returns a task's result as the bytes of a `holdfast.v1.Payload`, or undefined if the task has no result. */
  result(id: TaskId): Promise<Uint8Array | undefined>;
  /**
   * Returns a page of at most `limit` tasks; `limit` is from 1 to `limits.pageItems`.
   *
   * @throws HoldfastError INVALID_ARGUMENT, if the cursor is not from this engine.
   */
  list(
    filter: TaskFilter,
    page: { limit: number; cursor: string | undefined; nowMs: number },
  ): Promise<SnapshotPage>;
  /**
   * Returns due entries whose time has come, oldest first; entries of one time are in an order of the store's own. The
   * index may lag, so the caller reads each task before it acts. `after` continues behind a due entry, even if that
   * entry is deleted by now: a task whose action fails thus blocks no other task. A page may have fewer than `limit`
   * entries, even none, and still a `next`.
   */
  due(shard: number, nowMs: number, limit: number, after?: DueEntry): Promise<DuePage>;
  /**
   * Returns the id and the place of the first unfinished task of a lane (the tasks with one ordering key). While a commit
   * of several places is in progress, it may return a later one of them and miss an earlier one. So it never decides that
   * a task may start; `isFirst` does.
   */
  lowest(lane: LaneKey): Promise<LanePointer | undefined>;
  /**
   * Returns true if every earlier place of the lane was left, so that the task at the place `seq` may start. It sees the
   * places of one commit together. Once true, it stays true until the task leaves this place, because new places are later
   * ones. Of a place that was left it may say either.
   */
  isFirst(lane: LaneKey, seq: number): Promise<boolean>;
  /**
   * Removes the task from its lane; a repeat does nothing. With `seq` the task is removed only from that
   * place in the lane, so that a late call does not remove the task from the new place that a redrive has
   * given it. `wasFirst` is true if the task was the first of its lane, since it has run: the store then need not look at
   * the place before it.
   */
  leaveLane(lane: LaneKey, id: TaskId, seq?: number, wasFirst?: boolean): Promise<void>;
  counts(queue: QueueRef, nowMs: number): Promise<QueueCounts>;
  /**
   * Returns the ready tasks of a queue by their types, for metrics. The read is bounded: of a type with very many ready
   * tasks only so many are counted, and of a queue with very many types only so many are returned.
   */
  readyByType(queue: QueueRef, nowMs: number): Promise<readonly ReadyGroup[]>;
  /**
   * Deletes up to `limit` expired tasks and their places in lanes. Returns how many tasks were deleted;
   * always 0 if the database deletes expired tasks by itself.
   */
  purge(nowMs: number, limit: number): Promise<number>;
}
