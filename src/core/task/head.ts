import { limits, timing } from '../limits.ts';
import type { DeadReason } from './event.ts';

export type StoredState = 'waiting' | 'running' | 'succeeded' | 'dead' | 'cancelled';
/**
 * The state of a task as users see it. A waiting task is `scheduled` while it waits for its start time or for a retry
 * (`waitUntilMs`), otherwise `ready`. A task with a lease is `reserved` until its handler is called (`begun`), then
 * `running`.
 */
export type ShownState = 'scheduled' | 'ready' | 'reserved' | Exclude<StoredState, 'waiting'>;

export interface Progress {
  /** The finished part of the attempt, from 0 to 1. */
  readonly fraction: number;
  readonly note: string;
}

/**
 * The current state of a task: the result of applying its events in order, plus the changes that have no event
 * (`revision`, `leaseSecret`, `leaseEndAtMs`, `begun`, `progress`, and the clearing of `waitUntilMs` and `handOver`).
 * Every field is always present, so that all heads have one object shape.
 */
export interface Head {
  readonly state: StoredState;
  /**
   * The number of writes of the head, counted by the store. The revision is 1 until the first change after the
   * submission.
   */
  readonly revision: number;
  /** The number of events of the task. */
  readonly version: number;
  /** The time of the last event. Stores derive it from that event, and an event never has an earlier time than it. */
  readonly lastEventAtMs: number;
  /** The fencing token of the latest claim. It rises with every claim and is 0 before the first one. */
  readonly fencingToken: number;
  /**
   * The 8 random bytes of the latest claim (`Clock.secret`), which its lease carries. Only the head and the lease have
   * them: no event and no answer, so that nobody but the lease's holder can make the lease. Empty before the first claim,
   * and after a claim or another change by an older version.
   */
  readonly leaseSecret: string;
  /** The number of attempts since submission or the last redrive, without released, snoozed and lost ones. */
  readonly attempt: number;
  readonly releases: number;
  /** The number of lost workers since submission or the last redrive: expired leases of attempts that had begun. */
  readonly losses: number;
  /**
   * When a scheduled task may run. The field is cleared when the task is made ready, after its dispatch message was
   * sent.
   */
  readonly waitUntilMs: number | undefined;
  readonly deadlineAtMs: number | undefined;
  readonly lifetimeEndAtMs: number | undefined;
  readonly inLane: boolean;
  /** True if the task has ended and the next task of its lane is not dispatched yet. */
  readonly handOver: boolean;
  /** True if the task is dead and the later tasks of its lane wait until it is redriven, skipped or released. */
  readonly holdsLane: boolean;
  readonly leaseEndAtMs: number | undefined;
  readonly timeoutAtMs: number | undefined;
  /**
   * True if it is stored that the handler of the current attempt was called: by the claim of a worker that begins at
   * once, or by a heartbeat. A worker that fetches ahead may have begun although the field is still false.
   */
  readonly begun: boolean;
  /** The worker of the latest claim: its name, a slash and its id. The name itself may contain slashes. */
  readonly worker: string;
  readonly cancelRequested: boolean;
  /** True if the task waits after a failed attempt. */
  readonly retrying: boolean;
  readonly endedAtMs: number | undefined;
  readonly deadReason: DeadReason | undefined;
  readonly lastError: string;
  readonly progress: Progress | undefined;
}

export function isEnded(head: Head): boolean {
  return head.state === 'succeeded' || head.state === 'dead' || head.state === 'cancelled';
}

/**
 * Returns true if the task's workers were lost so often that the task must run with nothing else beside it in its
 * worker's process, so that it cannot end other tasks with it.
 */
export function runsAlone(head: Head): boolean {
  return head.losses >= limits.lossesBeforeAlone;
}

/**
 * Returns the time in which a worker begins a task that it was given, or gives it back. A task that runs alone may wait
 * until the other tasks of its worker have ended.
 */
export function startWithinMs(head: Head): number {
  return runsAlone(head) ? timing.aloneStartMs : timing.prefetchStartMs;
}

export function shownState(head: Head): ShownState {
  return head.state === 'running' && !head.begun ? 'reserved' : listedState(head);
}

/** The states by which stores list and count tasks. */
export type ListedState = Exclude<ShownState, 'reserved'>;

/**
 * Returns the state by which stores list and count a task: `running` for every task with a lease. Only a node knows
 * whether the handler of a reserved task was called since the last heartbeat.
 */
export function listedState(head: Head): ListedState {
  if (head.state !== 'waiting') return head.state;
  return head.waitUntilMs === undefined ? 'ready' : 'scheduled';
}

/**
 * Whether a task waits, but neither for its scheduled start time nor for a retry. Such a task can be claimed,
 * unless an earlier task with the same ordering key has not ended.
 */
export function isReady(head: Head): boolean {
  return head.state === 'waiting' && head.waitUntilMs === undefined;
}

/**
 * Returns the time of a task's due entry, by which the sweep finds the task, or undefined if the task has no
 * due entry. A waiting task is due at its start or retry time, its deadline or its recorded lifetime's end,
 * whichever is earliest. An ended task is due at its end if the next task of its lane must still be
 * dispatched.
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
