import type { DeadReason } from './event.ts';

export type StoredState = 'waiting' | 'running' | 'succeeded' | 'dead' | 'cancelled';
/** What is shown: `waiting` is `scheduled` while it has a run time ahead of it in the due index, else `ready`. */
export type ShownState = 'scheduled' | 'ready' | Exclude<StoredState, 'waiting'>;

export interface Progress {
  /** 0 to 1. */
  readonly fraction: number;
  readonly note: string;
}

/**
 * Where a task stands: the fold of its events, and beside it what is not an event (`revision`, `leaseEndAtMs`,
 * `progress`, the clearing of `waitUntilMs` and `handOver`). Every field is always present, so that all heads
 * have one shape.
 */
export interface Head {
  readonly state: StoredState;
  /** Number of writes; the store raises it with every one of them. 1: submitted and untouched. */
  readonly revision: number;
  /** Number of events. */
  readonly version: number;
  /** Rises with every claim; 0 before the first. */
  readonly fencingToken: number;
  /** Attempts begun and counted, since submission or the last redrive. */
  readonly attempt: number;
  readonly releases: number;
  /** Waiting and scheduled: not before this time. Cleared when the task is made ready, after it was rung. */
  readonly waitUntilMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  readonly lifetimeEndAtMs: number | undefined;
  readonly inLane: boolean;
  /** Ended in a lane that was not handed on yet. */
  readonly handOver: boolean;
  /** Dead, and its lane waits for it. */
  readonly holdsLane: boolean;
  readonly leaseEndAtMs: number | undefined;
  readonly timeoutAtMs: number | undefined;
  /** Of the latest claim: the worker's name, a slash and its id. A name may hold slashes itself. */
  readonly worker: string;
  readonly cancelRequested: boolean;
  /** Waiting after a failure. */
  readonly retrying: boolean;
  readonly endedAtMs: number | undefined;
  readonly deadReason: DeadReason | undefined;
  readonly lastError: string;
  readonly progress: Progress | undefined;
}

export function isEnded(head: Head): boolean {
  return head.state === 'succeeded' || head.state === 'dead' || head.state === 'cancelled';
}

export function shownState(head: Head): ShownState {
  if (head.state !== 'waiting') return head.state;
  return head.waitUntilMs === undefined ? 'ready' : 'scheduled';
}

/** Waiting, and nothing in its own life keeps it from being claimed (its lane may). */
export function isReady(head: Head): boolean {
  return head.state === 'waiting' && head.waitUntilMs === undefined;
}

/**
 * When the sweep must look at this task, or undefined: what waits for a time has a due entry (a run time, a
 * deadline, a lifetime of its own, a hand-over), the ready backlog and running tasks have none.
 */
export function dueAtMs(head: Head): number | undefined {
  if (head.handOver) return head.endedAtMs;
  if (head.state !== 'waiting') return undefined;
  let due = head.waitUntilMs;
  if (head.deadlineAtMs !== undefined && (due === undefined || head.deadlineAtMs < due))
    due = head.deadlineAtMs;
  if (head.lifetimeEndAtMs !== undefined && (due === undefined || head.lifetimeEndAtMs < due)) {
    due = head.lifetimeEndAtMs;
  }
  return due;
}
