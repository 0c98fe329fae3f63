import { limits, timing } from '../limits.ts';
import type { Cancel, Claim, Command, Decision, Redrive } from './command.ts';
import { accepted, died, type Facts, lapseReason, mayExpireAtMs, rejected, withLease } from './decision.ts';
import type { TaskEvent } from './event.ts';
import { type Head, isEnded } from './head.ts';
import { decideSettle } from './settle.ts';

/**
 * Returns the event that ends the task when its lease expires (cancelled or died), or undefined if the task is tried
 * again.
 */
function endAfterExpiry(head: Head, facts: Facts, nowMs: number): TaskEvent | undefined {
  // An event that ends a task at the expiry of its lease has no fencing token, so that a late settlement of the worker
  // is not taken for a repeat.
  if (head.cancelRequested) {
    return { kind: 'cancelled', atMs: nowMs, fencingToken: undefined, actor: '', message: 'the lease ended' };
  }
  const reason = lapseReason(head, facts, nowMs);
  if (reason !== undefined) return died(head, facts, reason, nowMs);
  if (head.attempt >= facts.options.retry.maxAttempts) {
    return { ...died(head, facts, 'attempts', nowMs), message: 'the lease of the last attempt expired' };
  }
  return undefined;
}

function claimed(head: Head, facts: Facts, command: Claim, nowMs: number): TaskEvent {
  return {
    kind: 'claimed',
    atMs: nowMs,
    fencingToken: Math.max(head.fencingToken + 1, nowMs),
    attempt: head.attempt + 1,
    worker: command.worker,
    // The worker counts the attempt's timeout from the start of the handler, which prefetching may delay. The worker
    // must end the attempt before this time.
    timeoutAtMs: nowMs + timing.prefetchStartMs + facts.options.attemptTimeoutMs,
  };
}

function claim(head: Head, facts: Facts, command: Claim, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  const events: TaskEvent[] = [];
  if (head.state === 'running') {
    const untilMs = mayExpireAtMs(head, facts);
    if (nowMs < untilMs) return rejected({ why: 'leased', untilMs });
    events.push({ kind: 'leaseExpired', atMs: nowMs, fencingToken: head.fencingToken });
    const end = endAfterExpiry(head, facts, nowMs);
    if (end !== undefined) return accepted(head, [...events, end]);
  } else {
    const reason = lapseReason(head, facts, nowMs);
    if (reason !== undefined) return accepted(head, [died(head, facts, reason, nowMs)]);
    if (head.waitUntilMs !== undefined) return rejected({ why: 'scheduled', untilMs: head.waitUntilMs });
  }
  if (!command.lowest) return rejected({ why: 'notLowest' });
  events.push(claimed(head, facts, command, nowMs));
  const decision = accepted(head, events);
  return decision.ok ? { ...decision, head: withLease(decision.head, nowMs, command.leaseMs) } : decision;
}

function expire(head: Head, facts: Facts, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  if (head.state !== 'running') return rejected({ why: 'nothingDue' });
  const untilMs = mayExpireAtMs(head, facts);
  if (nowMs < untilMs) return rejected({ why: 'leased', untilMs });
  const end = endAfterExpiry(head, facts, nowMs);
  const expired: TaskEvent = { kind: 'leaseExpired', atMs: nowMs, fencingToken: head.fencingToken };
  return accepted(head, end === undefined ? [expired] : [expired, end]);
}

function lapse(head: Head, facts: Facts, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  const reason = lapseReason(head, facts, nowMs);
  if (head.state !== 'waiting' || reason === undefined) return rejected({ why: 'nothingDue' });
  return accepted(head, [died(head, facts, reason, nowMs)]);
}

function cancel(head: Head, command: Cancel, nowMs: number): Decision {
  const { actor, message } = command;
  if (head.state === 'cancelled') return accepted(head, []);
  if (head.state === 'running') {
    if (head.cancelRequested) return accepted(head, []);
    return accepted(head, [{ kind: 'cancelRequested', atMs: nowMs, actor, message }]);
  }
  // A cancel of a dead task that blocks its lane skips the task. Only a skip or a redrive changes a dead
  // task.
  if (head.state === 'waiting' || head.holdsLane) {
    return accepted(head, [{ kind: 'cancelled', atMs: nowMs, fencingToken: undefined, actor, message }]);
  }
  return rejected({ why: 'ended', state: head.state });
}

function redrive(head: Head, facts: Facts, command: Redrive, nowMs: number): Decision {
  if (head.state !== 'dead') {
    const again = !isEnded(head) && facts.tip.some((event) => event.kind === 'redriven');
    return again ? accepted(head, []) : rejected({ why: 'notDead', state: head.state });
  }
  if (facts.expiresAtMs - nowMs < limits.redriveBeforeExpiryMs) return rejected({ why: 'expiresSoon' });
  // Until the next task of the lane is dispatched, the dead task's old place in the lane (its pointer) still
  // exists and is the first; a second place would break the order.
  if (head.handOver) return rejected({ why: 'handOverPending' });
  const lifetimeEndAtMs = facts.expiresAtMs - limits.endBeforeExpiryMs;
  return accepted(head, [{ kind: 'redriven', atMs: nowMs, actor: command.actor, lifetimeEndAtMs }]);
}

/**
 * Computes the effect of a command on a task: the events to append and the head after them, or a rejection.
 * It is a pure function: the caller passes the time, the jitter and the actor. There are no events if the
 * command has already taken effect.
 */
export function decide(head: Head, facts: Facts, command: Command, nowMs: number): Decision {
  switch (command.kind) {
    case 'claim':
      return claim(head, facts, command, nowMs);
    case 'expire':
      return expire(head, facts, nowMs);
    case 'lapse':
      return lapse(head, facts, nowMs);
    case 'settle':
      return decideSettle(head, facts, command, nowMs);
    case 'cancel':
      return cancel(head, command, nowMs);
    case 'redrive':
      return redrive(head, facts, command, nowMs);
  }
}
