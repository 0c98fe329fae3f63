import { limits } from '../limits.ts';
import type { Cancel, Claim, Command, Decision, Expire, Redrive, ReleaseLane, Unassign } from './command.ts';
import {
  accepted,
  died,
  type Facts,
  lapseReason,
  leaseEndOfClaim,
  mayExpireAtMs,
  rejected,
} from './decision.ts';
import type { TaskEvent } from './event.ts';
import { eventsOfExpiry } from './expiry.ts';
import { type Head, isEnded, isReady, startWithinMs } from './head.ts';
import { decideSettle } from './settle.ts';

function claimed(head: Head, facts: Facts, command: Claim, nowMs: number): TaskEvent {
  return {
    kind: 'claimed',
    atMs: nowMs,
    fencingToken: Math.max(head.fencingToken + 1, nowMs),
    attempt: head.attempt + 1,
    worker: command.worker,
    // The worker counts the attempt's timeout from the start of the handler, which prefetching may delay, or the wait
    // until the task can run alone. The worker must end the attempt before this time.
    timeoutAtMs: nowMs + startWithinMs(head) + facts.options.attemptTimeoutMs,
    begins: command.begins,
  };
}

function claim(head: Head, facts: Facts, command: Claim, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  const events: TaskEvent[] = [];
  let before = head;
  if (head.state === 'running') {
    const untilMs = mayExpireAtMs(head, facts);
    if (nowMs < untilMs) return rejected({ why: 'leased', untilMs });
    events.push(...eventsOfExpiry(head, facts, command.lastLease, nowMs));
    const expired = accepted(head, events);
    if (!expired.ok || !isReady(expired.head)) return expired;
    before = expired.head;
  } else {
    const reason = lapseReason(head, facts, nowMs);
    if (reason !== undefined) return accepted(head, [died(head, facts, reason, nowMs)]);
    if (head.waitUntilMs !== undefined) return rejected({ why: 'scheduled', untilMs: head.waitUntilMs });
  }
  if (!command.lowest) return rejected({ why: 'notLowest' });
  events.push(claimed(before, facts, command, nowMs));
  const decision = accepted(head, events);
  if (!decision.ok) return decision;
  const leaseEndAtMs = leaseEndOfClaim(decision.head, nowMs, command.leaseMs);
  const { leaseSecret } = command;
  return { ...decision, head: { ...decision.head, leaseSecret, leaseEndAtMs } };
}

function expire(head: Head, facts: Facts, command: Expire, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  if (head.state !== 'running') return rejected({ why: 'nothingDue' });
  const untilMs = mayExpireAtMs(head, facts);
  if (nowMs < untilMs) return rejected({ why: 'leased', untilMs });
  return accepted(head, eventsOfExpiry(head, facts, command.lastLease, nowMs));
}

function lapse(head: Head, facts: Facts, nowMs: number): Decision {
  if (isEnded(head)) return rejected({ why: 'ended', state: head.state });
  const reason = lapseReason(head, facts, nowMs);
  if (head.state !== 'waiting' || reason === undefined) return rejected({ why: 'nothingDue' });
  return accepted(head, [died(head, facts, reason, nowMs)]);
}

function unassign(head: Head, facts: Facts, command: Unassign, nowMs: number): Decision {
  const { fencingToken, countsAsRelease } = command;
  if (head.state !== 'running' || head.fencingToken !== fencingToken) return rejected({ why: 'leaseLost' });
  if (head.begun) return rejected({ why: 'begun' });
  const release = {
    kind: 'settle',
    outcome: 'released',
    begun: false,
    fencingToken,
    countsAsRelease,
  } as const;
  return decideSettle(head, facts, release, nowMs);
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
  const redriven: TaskEvent = { kind: 'redriven', atMs: nowMs, actor: command.actor, lifetimeEndAtMs };
  const decision = accepted(head, [redriven]);
  if (!decision.ok) return decision;
  // The task runs at once, even if the time of the event had to be raised.
  return { ...decision, head: { ...decision.head, waitUntilMs: nowMs } };
}

function releaseLane(head: Head, { onDead }: Facts, { actor }: ReleaseLane, nowMs: number): Decision {
  if (!head.holdsLane || onDead !== 'release') return rejected({ why: 'nothingDue' });
  return accepted(head, [{ kind: 'laneReleased', atMs: nowMs, actor }]);
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
      return expire(head, facts, command, nowMs);
    case 'lapse':
      return lapse(head, facts, nowMs);
    case 'settle':
      return decideSettle(head, facts, command, nowMs);
    case 'unassign':
      return unassign(head, facts, command, nowMs);
    case 'cancel':
      return cancel(head, command, nowMs);
    case 'redrive':
      return redrive(head, facts, command, nowMs);
    case 'releaseLane':
      return releaseLane(head, facts, command, nowMs);
  }
}
