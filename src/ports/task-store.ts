import type { HoldfastError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import type { Scope, Submission } from '../core/submission/submission.ts';
import type { Claimed, TaskEvent } from '../core/task/event.ts';
import type { Head, Progress, ShownState } from '../core/task/head.ts';

/** Opaque to everyone but the engine that minted it in `accept`; never reused; names one acceptance. */
export type TaskId = string;

export interface QueueRef {
  readonly tenant: string;
  readonly queue: string;
}

export interface LaneKey extends QueueRef {
  readonly orderingKey: string;
}

/** A task as read: what was accepted, where it stands, and the events after the submission. */
export interface Snapshot {
  readonly id: TaskId;
  readonly submission: Submission;
  /** Place in its lane; rises in commit order; a redrive from a released lane gets a new one. */
  readonly laneSeq: number | undefined;
  readonly head: Head;
  /** Events 2…n, oldest first; where an engine moved older ones out, the newest of them. */
  readonly tip: readonly TaskEvent[];
}

/** One submission to accept. */
export interface Acceptance {
  readonly submission: Submission;
  /** The head after [submitted], or after [submitted, claimed]. */
  readonly head: Head;
  /**
   * Where `can.fuseClaim`: its first claim, in the same write (stored at revision 2, as if it had been two). Never of a
   * task with an ordering key: whether that is the lowest of its lane is known only after the commit.
   */
  readonly claimed?: Claimed | undefined;
}

export type Accepted =
  | { readonly kind: 'fresh'; readonly snapshot: Snapshot }
  /** The key is taken: by whom. */
  | { readonly kind: 'existing'; readonly snapshot: Snapshot }
  | { readonly kind: 'failed'; readonly error: HoldfastError };

/** Events and the head after them (or a head that changed without an event: made ready, handed over). */
export interface Transition {
  readonly kind: 'transition';
  readonly id: TaskId;
  /**
   * `revision`: everyone but the lease's holder. `token` and `version`: the holder's settlement, which
   * heartbeats in between do not disturb.
   */
  readonly expect:
    | { readonly revision: number }
    | { readonly fencingToken: number; readonly version: number };
  readonly events: readonly TaskEvent[];
  /** Written whole; `revision` in it is ignored: the store writes the stored one plus 1. */
  readonly head: Head;
  /** Result of a success: the bytes of a `holdfast.v1.Payload`. */
  readonly result: Uint8Array | undefined;
  /** Redrive from a released lane: a new pointer at the tail, in the same transaction. */
  readonly rejoinLane: boolean;
}

/** A heartbeat: conditional on `running` and the token. */
export interface Renewal {
  readonly kind: 'renewal';
  readonly id: TaskId;
  readonly expect: { readonly fencingToken: number };
  readonly leaseEndAtMs: number;
  /** Undefined: as it was. */
  readonly progress: Progress | undefined;
}

export type Change = Transition | Renewal;

export type Outcome =
  /** The head as stored, with its revision. */
  | { readonly kind: 'done'; readonly head: Head; readonly laneSeq: number | undefined }
  /** The condition failed; what stands there now (undefined: no such task). */
  | { readonly kind: 'refused'; readonly current: Snapshot | undefined }
  | { readonly kind: 'failed'; readonly error: HoldfastError };

export interface Filter extends QueueRef {
  /** `retrying`: waiting after a failure. `unfinished`: not ended, by a read that may lag for what has ended. */
  readonly state?: ShownState | 'retrying' | 'unfinished' | undefined;
  readonly type?: string | undefined;
  readonly tag?: string | undefined;
  /** Unfinished tasks of this lane, in their order; other lists are newest first. */
  readonly orderingKey?: string | undefined;
  readonly acceptedFromMs?: number | undefined;
  /** Exclusive. */
  readonly acceptedUntilMs?: number | undefined;
}

export interface Page {
  readonly items: readonly Snapshot[];
  /** Undefined: no more. */
  readonly cursor: string | undefined;
  /** Tasks looked at, at most `limits.pageExamined`. */
  readonly examined: number;
}

/** What tells whether something happened to a task, and how it goes on. */
export type StandingHead = Pick<Head, 'revision' | 'version' | 'progress'>;

export interface DueEntry {
  readonly id: TaskId;
  readonly dueAtMs: number;
}

export interface DuePage {
  readonly entries: readonly DueEntry[];
  /** Where to go on: everything up to there was looked at. Undefined: nothing else was due. */
  readonly next: DueEntry | undefined;
}

export interface LanePointer {
  readonly id: TaskId;
  readonly seq: number;
}

export interface QueueCounts {
  readonly scheduled: number;
  readonly ready: number;
  readonly running: number;
  readonly dead: number;
  /** There are more tasks than the store looks at for this: the numbers are the least there are. */
  readonly atLeast?: true;
}

/** What is wrong with a history, and from which event on; the submission is event 1, those before it are as written. */
export interface HistoryFault {
  /**
   * `changed`: this event, or what followed it, is not what was written. `missing`: it is not there. `uncounted`: it is
   * there, and the head counts fewer events or is gone.
   */
  readonly kind: 'changed' | 'missing' | 'uncounted';
  readonly event: number;
}

/** What came out when the events of a task were held against their chain. */
export interface Verified {
  /** Whose task it is: told even where no more of it can be read. */
  readonly queue: QueueRef;
  /** How many events the task counts, the submission included. */
  readonly events: number;
  /** Undefined: whole. */
  readonly fault: HistoryFault | undefined;
}

/**
 * An event store with one head per task. Every method decides on a consistent view and enforces `limits`.
 *
 * A call of several items is never atomic across them: each has a result of its own, in its place. A rejected
 * promise (always a HoldfastError) means that the outcome of every item is unknown or that none was done, as
 * its `reason` says. To every reader a task past its `expiresAtMs` does not exist.
 */
export interface TaskStore {
  readonly can: {
    /** Bells and due entries are index entries of the same commit: `ring` after `accept` adds nothing. */
    readonly transactionalDispatch: boolean;
    /** A task that a worker waits for may be claimed in the commit that accepts it: one sync instead of two. */
    readonly claimOnAccept: boolean;
    /** Other processes write the same store, so what happened must be read. */
    readonly sharedWriters: boolean;
  };
  readonly limits: Limits;
  /** Due entries are spread over this many shards, 0 … dueShards − 1, as far as this process knows. Never falls. */
  readonly dueShards: number;
  /**
   * Sees to it that `dueShards` counts every shard that anybody had written to before this call, and answers it. Absent
   * where it never changes.
   */
  countDueShards?(): Promise<number>;

  /**
   * The key's condition decides: it is free where no task has it, or its newest task gives it up (`isKeyFree` of the
   * core, at the time of this acceptance) and is still as it was read when the new one is written. Within one batch the
   * first item of a key stands and later ones are judged against it. A task with an ordering key gets its `laneSeq` and
   * its pointer in the same transaction; those of one batch and lane that are accepted get places in the order given.
   */
  accept(batch: readonly Acceptance[]): Promise<readonly Accepted[]>;
  append(batch: readonly Change[]): Promise<readonly Outcome[]>;
  /** In the order of the ids; undefined: no such task, or expired. */
  read(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]>;
  /**
   * For the first look of whoever heard a task's first bell: a task that was ready from its submission on may be
   * answered as it was submitted, at revision 1, whatever happened since. A change on revision 1 tells, being refused
   * with what stands; nothing else may be concluded. Others as by `read`. Absent where `read` costs no more.
   */
  readAsSubmitted?(ids: readonly TaskId[], nowMs: number): Promise<readonly (Snapshot | undefined)[]>;
  /**
   * For who looks again and again whether something happened: as `read`, of the heads alone; undefined too where nobody
   * has touched a task since its submission. Absent where `read` costs no more.
   */
  heads?(ids: readonly TaskId[], nowMs: number): Promise<readonly (StandingHead | undefined)[]>;
  /** Newest generation; undefined where there is none or it has expired. */
  byKey(scope: Scope, nowMs: number): Promise<Snapshot | undefined>;
  /** Events with a version above `fromVersion`; the submission is version 1. Empty: no such task. */
  history(id: TaskId, fromVersion: number): Promise<readonly TaskEvent[]>;
  /**
   * Whether the events of a task are those that were written, by the hashes that each carries of the one before it;
   * undefined: no such task. Absent where the store keeps no such chain.
   */
  verify?(id: TaskId, nowMs: number): Promise<Verified | undefined>;
  /** Bytes of a `holdfast.v1.Payload`; undefined: none. */
  result(id: TaskId): Promise<Uint8Array | undefined>;
  /** At most `limit` items (≤ limits.pageItems). A cursor that this engine did not make: INVALID_ARGUMENT. */
  list(filter: Filter, page: { limit: number; cursor: string | undefined; nowMs: number }): Promise<Page>;
  /**
   * Entries whose time has come, oldest first; of equal times in an order of the store's own. May lag: whoever acts on one
   * reads the task first. `after`: only those behind this place, an entry that may be gone meanwhile, so that what cannot
   * be helped now keeps nobody else waiting. There may be fewer than `limit`, even none, and a `next` nevertheless.
   */
  due(shard: number, nowMs: number, limit: number, after?: DueEntry): Promise<DuePage>;
  /** The first unfinished task of a lane. */
  lowest(lane: LaneKey): Promise<LanePointer | undefined>;
  /**
   * Deletes the task's pointer; idempotent. With `seq` only the pointer of that place: a sweep that was late with a
   * hand-over must not take away the place that a redrive gave the task since.
   */
  leave(lane: LaneKey, id: TaskId, seq?: number): Promise<void>;
  counts(queue: QueueRef, nowMs: number): Promise<QueueCounts>;
  /** Frees the space of expired tasks, pointers included; how many. 0 where the store does so itself. */
  purge(nowMs: number, limit: number): Promise<number>;
}
