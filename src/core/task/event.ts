/**
 * What happened to a task. Events are a contract for ever: an event once written is never changed, kinds and
 * fields are only added, older shapes are upcast when read (codec.ts) and unknown newer kinds are kept.
 * Times are ms since the epoch. `token` is the fencing token of the lease under which it happened.
 */

/** By their numbers in `holdfast.v1.DeadReason`, which the stores keep too; 0 is none. Add at the end, never change. */
export const deadReasons = [undefined, 'attempts', 'fatal', 'deadline', 'lifetime'] as const;
export type DeadReason = NonNullable<(typeof deadReasons)[number]>;

export interface Submitted {
  readonly kind: 'submitted';
  readonly atMs: number;
  /** Scheduled for this time; absent: ready at once. */
  readonly runAtMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  /** Where the submission set a lifetime of its own or was scheduled; the default one of others is the reconciler's. */
  readonly lifetimeEndAtMs: number | undefined;
  readonly inLane: boolean;
}

export interface Claimed {
  readonly kind: 'claimed';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly attempt: number;
  readonly worker: string;
  /** The attempt is over by then, whatever is heartbeaten. */
  readonly timeoutAtMs: number;
}

export interface ClaimReleased {
  readonly kind: 'claimReleased';
  readonly atMs: number;
  readonly fencingToken: number;
  /** Counts towards the limit of releases; a prefetched task that was given back does not. */
  readonly counted: boolean;
}

export interface LeaseExpired {
  readonly kind: 'leaseExpired';
  readonly atMs: number;
  readonly fencingToken: number;
}

export interface Failed {
  readonly kind: 'failed';
  readonly atMs: number;
  readonly fencingToken: number;
  /** Recorded, so that replay never consults today's policy. */
  readonly retryAtMs: number;
  readonly message: string;
  readonly errorType: string;
}

export interface Snoozed {
  readonly kind: 'snoozed';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly runAtMs: number;
}

export interface Succeeded {
  readonly kind: 'succeeded';
  readonly atMs: number;
  readonly fencingToken: number;
  readonly resultBytes: number;
}

export interface Died {
  readonly kind: 'died';
  readonly atMs: number;
  /** Absent where it died waiting. */
  readonly fencingToken: number | undefined;
  readonly reason: DeadReason;
  readonly message: string;
  readonly errorType: string;
  /** Its lane waits for a redrive or a skip (the queue's `onDead: hold` at that time). */
  readonly holdsLane: boolean;
}

export interface CancelRequested {
  readonly kind: 'cancelRequested';
  readonly atMs: number;
  readonly actor: string;
  readonly message: string;
}

export interface Cancelled {
  readonly kind: 'cancelled';
  readonly atMs: number;
  readonly fencingToken: number | undefined;
  readonly actor: string;
  readonly message: string;
}

export interface Redriven {
  readonly kind: 'redriven';
  readonly atMs: number;
  readonly actor: string;
  /** The redriven task must have ended by then. */
  readonly lifetimeEndAtMs: number;
}

/** An event of a kind that this version does not know: kept byte by byte and shown. */
export interface UnknownEvent {
  readonly kind: 'unknown';
  readonly kindNumber: number;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

export type TaskEvent =
  | Submitted
  | Claimed
  | ClaimReleased
  | LeaseExpired
  | Failed
  | Snoozed
  | Succeeded
  | Died
  | CancelRequested
  | Cancelled
  | Redriven
  | UnknownEvent;

export type EventKind = TaskEvent['kind'];
export type KnownKind = Exclude<EventKind, 'unknown'>;

/** By their numbers in `holdfast.v1.EventKind`; 0 is none. Add at the end, never change. */
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
] as const satisfies readonly (KnownKind | undefined)[];
