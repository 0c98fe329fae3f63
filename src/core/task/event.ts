/**
 * The events of a task. A written event never changes. New versions only add kinds and fields: older events are
 * converted when they are read (codec/event.ts), and unknown newer kinds are kept. Times are in ms since the epoch.
 * `fencingToken` names the lease under which the event happened.
 */

/**
 * The reasons why a task is dead, each at the index of its number in `holdfast.v1.DeadReason`. Stores keep these
 * numbers: add new reasons at the end; never reorder them.
 */
export const deadReasons = [undefined, 'attempts', 'fatal', 'deadline', 'lifetime', 'workerLost'] as const;
export type DeadReason = NonNullable<(typeof deadReasons)[number]>;

/**
 * Whether the handler of an attempt had been called, each word at the index of its number in `holdfast.v1.Begun`.
 * `unknown` if the node that recorded the event could not know.
 */
export const begunWords = [undefined, 'yes', 'no', 'unknown'] as const;
export type Begun = NonNullable<(typeof begunWords)[number]>;

export interface SubmittedEvent {
  readonly kind: 'submitted';
  readonly atMs: number;
  /** When the task becomes ready. It is undefined if the task is ready at once. */
  readonly runAtMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  /**
   * The end of the task's lifetime, if the submission set a lifetime or is scheduled. All other tasks have
   * the default lifetime, after which the reconciler ends them.
   */
  readonly lifetimeEndAtMs: number | undefined;
  readonly inLane: boolean;
}

export interface ClaimedEvent {
  readonly kind: 'claimed';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly attempt: number;
  readonly worker: string;
  /** When the attempt ends at the latest; no heartbeat extends a lease beyond this time. */
  readonly timeoutAtMs: number;
  /** True if the worker called its handler at once. False in an event of an older version, which did not record it. */
  readonly begins: boolean;
}

export interface ClaimReleasedEvent {
  readonly kind: 'claimReleased';
  readonly atMs: number;
  readonly fencingToken: number;
  /** True if the release counts towards `limits.releases`. The release of a prefetched task does not count. */
  readonly countsAsRelease: boolean;
  /** When the task becomes ready again, after many releases. It is undefined if the task is ready at once. */
  readonly retryAtMs: number | undefined;
}

export interface LeaseExpiredEvent {
  readonly kind: 'leaseExpired';
  readonly atMs: number;
  readonly fencingToken: number;
  /**
   * Whether the handler had been called. Undefined in an event of an older version, which used the attempt; all other
   * expiries give the attempt back.
   */
  readonly begun: Begun | undefined;
  /** True if the task ran alone in its worker's process, because its workers had been lost before. */
  readonly alone: boolean;
  /**
   * True if the expiry counts as a loss of the worker. It is false if the attempt had not begun, or if the worker
   * reported within the lease and only the store could not record it.
   */
  readonly countsAsLoss: boolean;
  /** When the task may run again; undefined: at once. It waits if the process of a task that ran alone ended by itself. */
  readonly retryAtMs: number | undefined;
}

export interface FailedEvent {
  readonly kind: 'failed';
  readonly atMs: number;
  readonly fencingToken: number;
  /** The time of the next attempt. It is recorded, so that a replay does not depend on the retry policy. */
  readonly retryAtMs: number;
  readonly message: string;
  readonly errorType: string;
}

export interface SnoozedEvent {
  readonly kind: 'snoozed';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly runAtMs: number;
}

export interface SucceededEvent {
  readonly kind: 'succeeded';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly resultBytes: number;
}

export interface DiedEvent {
  readonly kind: 'died';
  readonly atMs: number;
  /** The fencing token of the last lease. It is undefined if the task was not running when it died. */
  readonly fencingToken: number | undefined;
  readonly reason: DeadReason;
  readonly message: string;
  readonly errorType: string;
  /**
   * True if the task's lane waits until the task is redriven, skipped or released, because the queue's `onDead` was `hold` at
   * that time.
   */
  readonly holdsLane: boolean;
}

export interface CancelRequestedEvent {
  readonly kind: 'cancelRequested';
  readonly atMs: number;
  readonly actor: string;
  readonly message: string;
}

export interface CancelledEvent {
  readonly kind: 'cancelled';
  readonly atMs: number;
  readonly fencingToken: number | undefined;
  readonly actor: string;
  readonly message: string;
}

export interface RedrivenEvent {
  readonly kind: 'redriven';
  readonly atMs: number;
  readonly actor: string;
  /** When the lifetime of the redriven task ends. */
  readonly lifetimeEndAtMs: number;
}

/**
 * The lane of a dead task waits for it no longer, because an operator set the queue's `onDead` to `release`. The task stays
 * dead.
 */
export interface LaneReleasedEvent {
  readonly kind: 'laneReleased';
  readonly atMs: number;
  readonly actor: string;
}

/** An event of a kind that this version does not know. Its bytes are kept unchanged. */
export interface UnknownEvent {
  readonly kind: 'unknown';
  readonly kindNumber: number;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

export type TaskEvent =
  | SubmittedEvent
  | ClaimedEvent
  | ClaimReleasedEvent
  | LeaseExpiredEvent
  | FailedEvent
  | SnoozedEvent
  | SucceededEvent
  | DiedEvent
  | CancelRequestedEvent
  | CancelledEvent
  | RedrivenEvent
  | LaneReleasedEvent
  | UnknownEvent;

export type EventKind = TaskEvent['kind'];
export type KnownKind = Exclude<EventKind, 'unknown'>;

/**
 * The kinds of events, each at the index of its number in `holdfast.v1.EventKind`. Add new kinds at the end; never
 * reorder them.
 */
export const eventKinds = [
  undefined,
  'submitted',
  'claimed',
  'claimReleased',
  'leaseExpired',
  'failed',
  'snoozed',
  'succeeded',
  'died',
  'cancelRequested',
  'cancelled',
  'redriven',
  'laneReleased',
] as const satisfies readonly (KnownKind | undefined)[];
