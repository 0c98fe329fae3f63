import { timing } from '../limits.ts';
import { lifetimeEnd, type Options } from '../submission/submission.ts';
import type { Decision, Rejection } from './command.ts';
import type { DeadReason, DiedEvent, TaskEvent } from './event.ts';
import { evolve } from './evolve.ts';
import type { Head } from './head.ts';

/** The data beside the head that a decision needs. All of it but `onDead` and `tip` is fixed at acceptance. */
export interface Facts {
  readonly options: Options;
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number;
  /** The queue's setting at this moment. The event records its effect. */
  readonly onDead: 'release' | 'hold';
  /** The newest events after the submission, by which repeated commands are recognised. */
  readonly tip: readonly TaskEvent[];
}

export function accepted(head: Head, events: readonly TaskEvent[]): Decision {
  let next = head;
  for (const event of events) next = evolve(next, event);
  return { ok: true, events, head: next };
}

export function rejected(rejection: Rejection): Decision {
  return { ok: false, rejection };
}

/** Returns when the lease is expired: its end plus a guard, because the clocks of nodes may differ by that much. */
export function leaseExpiredAtMs(head: Head): number {
  return (head.leaseEndAtMs ?? 0) + timing.clockGuardMs;
}

/** Returns `deadline` or `lifetime` if that time of the task has passed, or undefined. */
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

/** Sets the lease's end to `leaseMs` from now, but not after the attempt's timeout. */
export function withLease(head: Head, nowMs: number, leaseMs: number): Head {
  return { ...head, leaseEndAtMs: Math.min(nowMs + leaseMs, head.timeoutAtMs ?? nowMs + leaseMs) };
}
