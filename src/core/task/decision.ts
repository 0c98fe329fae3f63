import { timing } from '../limits.ts';
import { lifetimeEnd, type Options } from '../submission/submission.ts';
import type { Decision, Rejection } from './command.ts';
import type { DeadReason, Died, TaskEvent } from './event.ts';
import { evolve } from './evolve.ts';
import type { Head } from './head.ts';

/** What decisions need of a task beside its head. All of it is fixed at acceptance, but for `onDead`. */
export interface Facts {
  readonly options: Options;
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number;
  /** The queue's setting of now; what follows is recorded in the event. */
  readonly onDead: 'release' | 'hold';
  /** Events after the submission, as far as they are at hand: they tell repeats. */
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

/** A lease counts as spent a guard after its end, since the clocks of nodes may differ by as much. */
export function leaseExpiredAtMs(head: Head): number {
  return (head.leaseEndAtMs ?? 0) + timing.clockGuardMs;
}

/** Which time of a task's own has passed, if one has. */
export function lapsed(head: Head, facts: Facts, nowMs: number): DeadReason | undefined {
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
): Died {
  const holdsLane = head.inLane && facts.onDead === 'hold';
  return { kind: 'died', atMs, fencingToken, reason, message: '', errorType: '', holdsLane };
}

/** A lease ends at its attempt's timeout at the latest. */
export function leased(head: Head, nowMs: number, leaseMs: number): Head {
  return { ...head, leaseEndAtMs: Math.min(nowMs + leaseMs, head.timeoutAtMs ?? nowMs + leaseMs) };
}
