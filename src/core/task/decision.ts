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

export function accepted(head: Head, events: readonly TaskEvent[]): Decision {
  let next = head;
  for (const event of events) next = evolve(next, event);
  return { ok: true, events, head: next };
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

/** Returns the head with a lease that ends `leaseMs` from now, but not after the attempt's timeout. */
export function withLease(head: Head, nowMs: number, leaseMs: number): Head {
  return { ...head, leaseEndAtMs: Math.min(nowMs + leaseMs, head.timeoutAtMs ?? nowMs + leaseMs) };
}
