/** Decides what the expiry of a lease records: a lost worker, an attempt that reached its timeout, or the task's end. */
import { backoffMs, delayMs } from '../backoff.ts';
import { clipChars } from '../clip.ts';
import { limits } from '../limits.ts';
import type { LeaseKnowledge } from './command.ts';
import { died, type Facts, lapseReason, reachedTimeout } from './decision.ts';
import type { Begun, DiedEvent, LeaseExpiredEvent, TaskEvent } from './event.ts';
import { type Head, runsAlone } from './head.ts';

/** The wait in ms after each reported end of a process that ran the task alone; without it the next one would start at once. */
const lostBackoff = { firstMs: 10_000, longestMs: 300_000 } as const;
/** The most characters of the text that says how a process ended. */
const howChars = 256;

function begunOf(head: Head, facts: Facts, lastLease: LeaseKnowledge | undefined): Begun {
  if (head.begun) return 'yes';
  // The worker of a task with one attempt calls the handler only after the store has recorded the beginning.
  if (facts.options.retry.maxAttempts === 1) return 'no';
  // So does the worker of a task that runs alone: a loss may end such a task, and must not end one that only waited.
  if (lastLease?.begun === undefined) return runsAlone(head) ? 'no' : 'unknown';
  return lastLease.begun ? 'yes' : 'no';
}

/**
 * Returns the event of an attempt that reached its timeout without a report: it has failed. The wait before the next
 * attempt is the longest that the policy allows; it needs no jitter, because attempts do not all begin at one time.
 */
function timedOut(head: Head, facts: Facts, nowMs: number): TaskEvent {
  const message = `the attempt did not end within its timeout of ${facts.options.attemptTimeoutMs} ms`;
  const errorType = 'TimeoutError';
  const { retry } = facts.options;
  if (head.attempt >= retry.maxAttempts)
    return { ...died(head, facts, 'attempts', nowMs), message, errorType };
  const retryAtMs = nowMs + backoffMs(retry, head.attempt, 1);
  return { kind: 'failed', atMs: nowMs, fencingToken: head.fencingToken, retryAtMs, message, errorType };
}

/**
 * Returns the event that ends the task after the loss of its worker, or undefined if the task is tried again. `how` says
 * how the process ended that ran the handler, if it was not the worker's own.
 */
function endAfterLoss(
  head: Head,
  facts: Facts,
  expired: LeaseExpiredEvent,
  nowMs: number,
  how = '',
): DiedEvent | undefined {
  const dead = (message: string): DiedEvent => ({ ...died(head, facts, 'workerLost', nowMs), message });
  const { retry, maxLosses } = facts.options;
  const { worker } = head;
  const end = how === '' ? '' : ` (${clipChars(how, howChars)})`;
  if (retry.maxAttempts === 1 && expired.begun === 'yes')
    return dead(`worker '${worker}' was lost during the task's only attempt${end}`);
  if (!expired.countsAsLoss || !expired.alone || head.losses + 1 < maxLosses) return undefined;
  return dead(`lost ${head.losses + 1} workers, the last one, '${worker}', while it ran nothing else${end}`);
}

/**
 * Returns the events of an attempt whose process ended, as its worker reports it (the outcome `lost`): those of an
 * expired lease whose attempt had begun. Nobody needs to wait for the end of the lease.
 */
export function eventsOfLoss(head: Head, facts: Facts, how: string, nowMs: number): readonly TaskEvent[] {
  const { fencingToken } = head;
  const expired: LeaseExpiredEvent = {
    kind: 'leaseExpired',
    atMs: nowMs,
    fencingToken,
    begun: 'yes',
    alone: runsAlone(head),
    countsAsLoss: true,
    retryAtMs: undefined,
  };
  const end = endAfterLoss(head, facts, expired, nowMs, how);
  if (end !== undefined) return [expired, { ...end, fencingToken }];
  const lossesAlone = head.losses - limits.lossesBeforeAlone;
  const retryAtMs = lossesAlone < 0 ? undefined : nowMs + delayMs(lostBackoff, lossesAlone);
  return [{ ...expired, retryAtMs }];
}

/**
 * Returns the events of an expired lease. The attempt is given back, unless it reached its timeout. If the task is
 * cancelled, lapsed, or has lost too many workers, the last event ends it.
 */
export function eventsOfExpiry(
  head: Head,
  facts: Facts,
  lastLease: LeaseKnowledge | undefined,
  nowMs: number,
): readonly TaskEvent[] {
  const begun = begunOf(head, facts, lastLease);
  const countsAsLoss = begun !== 'no' && lastLease?.reportedInTime !== true;
  const expired: LeaseExpiredEvent = {
    kind: 'leaseExpired',
    atMs: nowMs,
    fencingToken: head.fencingToken,
    begun,
    alone: runsAlone(head),
    countsAsLoss,
    retryAtMs: undefined,
  };
  // An event that ends a task at the expiry of its lease has no fencing token, so that a late settlement of the worker
  // is not taken for a repeat.
  if (head.cancelRequested)
    return [
      expired,
      { kind: 'cancelled', atMs: nowMs, fencingToken: undefined, actor: '', message: 'the lease ended' },
    ];
  const reason = lapseReason(head, facts, nowMs);
  if (reason !== undefined) return [expired, died(head, facts, reason, nowMs)];
  if (begun !== 'no' && reachedTimeout(head)) return [timedOut(head, facts, nowMs)];
  const end = endAfterLoss(head, facts, expired, nowMs);
  return end === undefined ? [expired] : [expired, end];
}
