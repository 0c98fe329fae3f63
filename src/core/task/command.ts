import type { TaskEvent } from './event.ts';
import type { Head, StoredState } from './head.ts';

/** A worker takes the task, or whoever hears its bell ends a lease that is spent. */
export interface Claim {
  readonly kind: 'claim';
  readonly worker: string;
  readonly leaseMs: number;
  /** The task's pointer is the lowest of its lane, by a consistent read; true where it has no lane. */
  readonly lowest: boolean;
}

/** Ends a spent lease without taking the task: somebody heard the bell who has no worker for it. */
export interface Expire {
  readonly kind: 'expire';
}

/** Ends a waiting task whose deadline or lifetime has passed. */
export interface Lapse {
  readonly kind: 'lapse';
}

/** The outcome of an attempt, as its worker tells it. `random` in [0, 1) is the jitter. */
export type Settle = { readonly kind: 'settle'; readonly fencingToken: number } & (
  | { readonly outcome: 'succeeded'; readonly resultBytes: number }
  | {
      readonly outcome: 'failed' | 'fatal' | 'cancelled';
      readonly message: string;
      readonly errorType: string;
      /** Instead of the policy's backoff. */
      readonly afterMs: number | undefined;
      readonly random: number;
    }
  | { readonly outcome: 'snoozed'; readonly afterMs: number }
  /** `counted`: the assignment never arrived, which may happen only so often. */
  | { readonly outcome: 'released'; readonly counted: boolean; readonly random: number }
);

export interface Cancel {
  readonly kind: 'cancel';
  readonly actor: string;
  readonly message: string;
}

export interface Redrive {
  readonly kind: 'redrive';
  readonly actor: string;
}

export type Command = Claim | Expire | Lapse | Settle | Cancel | Redrive;

export type Rejection =
  /** `claim`: the task has ended. `cancel`, `expire`, `lapse`: likewise. */
  | { readonly why: 'ended'; readonly state: StoredState }
  | { readonly why: 'scheduled'; readonly untilMs: number }
  /** Another one's lease is valid until then. */
  | { readonly why: 'leased'; readonly untilMs: number }
  | { readonly why: 'notLowest' }
  | { readonly why: 'leaseLost' }
  | { readonly why: 'outcomeRecorded'; readonly recorded: TaskEvent }
  | { readonly why: 'noCancelRequested' }
  | { readonly why: 'nothingDue' }
  | { readonly why: 'notDead'; readonly state: StoredState }
  | { readonly why: 'expiresSoon' }
  | { readonly why: 'handOverPending' };

export type Decision =
  /** `events` may be empty: the command already took effect. `head` is the head after them. */
  | {
      readonly ok: true;
      readonly events: readonly TaskEvent[];
      readonly head: Head;
      readonly recorded?: TaskEvent;
    }
  | { readonly ok: false; readonly rejection: Rejection };
