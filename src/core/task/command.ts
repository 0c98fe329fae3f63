import type { TaskEvent } from './event.ts';
import type { Head, StoredState } from './head.ts';

/**
 * The command that takes a task for a worker. If an earlier lease of the task has expired, the claim ends that lease
 * first.
 */
export interface Claim {
  readonly kind: 'claim';
  readonly worker: string;
  readonly leaseMs: number;
  /** The new lease's random bytes, from `Clock.secret`. */
  readonly leaseSecret: string;
  /**
   * True if a consistent read found no earlier unfinished task with the same ordering key, or if the task has
   * no ordering key.
   */
  readonly lowest: boolean;
  /** True if the worker calls its handler at once; false if it may keep the task in its buffer first. */
  readonly begins: boolean;
  /** The node's knowledge about the lease that the claim ends, if the task is running. */
  readonly lastLease?: LeaseKnowledge | undefined;
}

/** The command that ends an expired lease without claiming the task, for a node that has no worker for the task. */
export interface Expire {
  readonly kind: 'expire';
  readonly lastLease?: LeaseKnowledge | undefined;
}

/** The knowledge of the node that ends a lease about the lease's worker, beside the stored head. */
export interface LeaseKnowledge {
  /** True if the worker has reported that it called the handler, false if the worker surely has not. */
  readonly begun: boolean | undefined;
  /**
   * True if the worker reported within the lease, although the store may not have recorded the report. The lease then
   * expired because of the store, and the expiry is no loss of the worker.
   */
  readonly reportedInTime: boolean;
}

/** The command that ends a waiting task whose deadline or lifetime has passed. */
export interface Lapse {
  readonly kind: 'lapse';
}

/**
 * The command that ends an attempt with the outcome that its worker reports. `random` in [0, 1) is the jitter of the
 * backoff.
 */
export type Settle = { readonly kind: 'settle'; readonly fencingToken: number } & (
  | { readonly outcome: 'succeeded'; readonly resultBytes: number }
  | {
      readonly outcome: 'failed' | 'fatal' | 'cancelled';
      readonly message: string;
      readonly errorType: string;
      /** The wait before the next attempt, in ms, in place of the backoff of the retry policy. */
      readonly afterMs: number | undefined;
      readonly random: number;
    }
  | { readonly outcome: 'snoozed'; readonly afterMs: number }
  /**
   * The process that ran the handler ended, and the worker, which runs in another process, reports it. `message` says how it
   * ended.
   */
  | { readonly outcome: 'lost'; readonly message: string }
  /**
   * `begun` is true if the handler had been called. `countsAsRelease` is true if the assignment never reached the
   * worker; such releases back off after `limits.releases` of them. A task that must run alone and has not begun backs off
   * at each release.
   */
  | { readonly outcome: 'released'; readonly begun: boolean; readonly countsAsRelease: boolean }
);

/**
 * The command that takes a task back from a worker that was cut off before it called the handler. It is refused if the
 * worker has called the handler since, as a heartbeat through another node may have recorded.
 */
export interface Unassign {
  readonly kind: 'unassign';
  readonly fencingToken: number;
  /** True if the assignment never reached the worker; such releases back off after `limits.releases` of them. */
  readonly countsAsRelease: boolean;
}

export interface Cancel {
  readonly kind: 'cancel';
  readonly actor: string;
  readonly message: string;
}

export interface Redrive {
  readonly kind: 'redrive';
  readonly actor: string;
}

/** The command that lets the later tasks of a lane run although a dead task held the lane. */
export interface ReleaseLane {
  readonly kind: 'releaseLane';
  readonly actor: string;
}

export type Command = Claim | Expire | Lapse | Settle | Unassign | Cancel | Redrive | ReleaseLane;

export type Rejection =
  /** The task has ended, so it cannot be claimed, cancelled, expired or lapsed. */
  | { readonly why: 'ended'; readonly state: StoredState }
  | { readonly why: 'scheduled'; readonly untilMs: number }
  /** The task is leased to another worker until `untilMs`. */
  | { readonly why: 'leased'; readonly untilMs: number }
  | { readonly why: 'notLowest' }
  | { readonly why: 'leaseLost' }
  /** The worker has called the handler. */
  | { readonly why: 'begun' }
  | { readonly why: 'outcomeRecorded'; readonly recorded: TaskEvent }
  | { readonly why: 'noCancelRequested' }
  | { readonly why: 'nothingDue' }
  | { readonly why: 'notDead'; readonly state: StoredState }
  | { readonly why: 'expiresSoon' }
  | { readonly why: 'handOverPending' };

export type Decision =
  /** The events that the command makes, and the task's new head. There are no events if the command is a repeat that has
   * already taken effect. */
  | {
      readonly ok: true;
      readonly events: readonly TaskEvent[];
      readonly head: Head;
      readonly recorded?: TaskEvent;
    }
  | { readonly ok: false; readonly rejection: Rejection };
