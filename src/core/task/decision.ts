import { timing } from '../limits.ts';
import { lifetimeEnd, type Options } from '../submission/submission.ts';
import type { Decision, Rejection } from './command.ts';
import type { DeadReason, DiedEvent, TaskEvent } from './event.ts';
import { evolve } from './evolve.ts';
import type { Head } from './head.ts';

/**
 * The data about a task, beside its head, that `decide` needs. All fields but `onDead`, `tip` and
 * `expiresNotBeforeMs` are fixed when the task is accepted.
 */
export interface Facts {
  readonly options: Options;
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number;
  /**
   * The queue's current setting for the lanes of dead tasks. The `died` event records whether the task holds its lane.
   */
  readonly onDead: 'release' | 'hold';
  /** The newest events of the task after its submission, by which repeated commands are recognised. */
  readonly tip: readonly TaskEvent[];
  /**
   * The time before which no lease may expire, because the process that decides has just started or was stalled.
   * Undefined if leases may expire now.
   */
  readonly expiresNotBeforeMs?: number | undefined;
}

/**
 * Returns the decision that makes these events. An event whose time is earlier than that of the event before it gets the
 * time of that event: another node recorded it by a clock that is ahead of this one, and histories must not run backwards.
 */
export function accepted(head: Head, events: readonly TaskEvent[]): Decision {
  let next = head;
  const inOrder = events.map((event) => {
    const { lastEventAtMs } = next;
    const made = event.atMs < lastEventAtMs ? { ...event, atMs: lastEventAtMs } : event;
    next = evolve(next, made);
    return made;
  });
  return { ok: true, events: inOrder, head: next };
}

export function rejected(rejection: Rejection): Decision {
  return { ok: false, rejection };
}

/**
 * Returns when a task's lease counts as expired: the end of the lease plus a guard of 2 s, because the clocks of nodes
 * may differ by that much.
 */
export function leaseExpiredAtMs(head: Head): number {
  return (head.leaseEndAtMs ?? 0) + timing.clockGuardMs;
}

/** Returns the time from which the process that decides may let the task's lease expire. */
export function mayExpireAtMs(head: Head, { expiresNotBeforeMs = 0 }: Facts): number {
  return Math.max(leaseExpiredAtMs(head), expiresNotBeforeMs);
}

/**
 * Returns `deadline` or `lifetime` if the task's deadline or the end of its lifetime has passed, otherwise undefined.
 */
export function lapseReason(head: Head, facts: Facts, nowMs: number): DeadReason | undefined {
  if (head.deadlineAtMs !== undefined && nowMs >= head.deadlineAtMs) return 'deadline';
  const end = head.lifetimeEndAtMs ?? lifetimeEnd(facts.options, facts.acceptedAtMs);
  return nowMs >= end ? 'lifetime' : undefined;
}

export function died(
  head: Head,
  facts: Facts,
  reason: DeadReason,
  atMs: number,
  fencingToken?: number,
): DiedEvent {
  const holdsLane = head.inLane && facts.onDead === 'hold';
  return { kind: 'died', atMs, fencingToken, reason, message: '', errorType: '', holdsLane };
}

/**
 * A worker that lives sends a heartbeat in this time before its attempt reaches the timeout, in ms: one every 10 s, and 2 s
 * for its way.
 */
const lastHeartbeatMs = timing.heartbeatMs + timing.clockGuardMs;

/** Returns when a lease ends that is given now, by a claim: after `leaseMs`, but before the attempt's timeout. */
export function leaseEndOfClaim({ timeoutAtMs }: Head, nowMs: number, leaseMs: number): number {
  return Math.min(nowMs + leaseMs, timeoutAtMs === undefined ? Number.POSITIVE_INFINITY : timeoutAtMs - 1);
}

/**
 * Returns when a lease ends that a heartbeat renews now. It ends at the very time of the attempt's timeout only if this
 * heartbeat comes shortly before that: by this `reachedTimeout` knows an attempt that ran until its timeout from one whose
 * worker was lost before.
 */
export function leaseEndOfRenewal(head: Head, nowMs: number, leaseMs: number): number {
  const { timeoutAtMs } = head;
  const isLast = timeoutAtMs !== undefined && nowMs >= timeoutAtMs - lastHeartbeatMs;
  return isLast ? Math.min(nowMs + leaseMs, timeoutAtMs) : leaseEndOfClaim(head, nowMs, leaseMs);
}

/** Returns true if the lease ended because the attempt reached its timeout: its worker sent heartbeats until then. */
export function reachedTimeout({ leaseEndAtMs, timeoutAtMs }: Head): boolean {
  return timeoutAtMs !== undefined && leaseEndAtMs === timeoutAtMs;
}
