import { backoffMs, delayMs } from '../backoff.ts';
import { limits, timing } from '../limits.ts';
import type { Decision, Settle } from './command.ts';
import { accepted, died, type Facts, lapseReason, rejected } from './decision.ts';
import type { TaskEvent } from './event.ts';
import { eventsOfLoss } from './expiry.ts';
import { type Head, runsAlone, startWithinMs } from './head.ts';

type Failure = Extract<Settle, { outcome: 'failed' | 'fatal' | 'cancelled' }>;
type Release = Extract<Settle, { outcome: 'released' }>;

/** The error type by which an older version recorded that a release had used an attempt. */
const releaseLimit = 'ReleaseLimit';
/** The wait after each counted release beyond `limits.releases`, in ms. */
const releaseBackoff = { firstMs: 1_000, longestMs: 300_000 } as const;
/**
 * The wait after each release of a task that its worker kept for 60 s, because it must run alone, in ms. The worker was
 * busy with other tasks and began nothing while it waited for them; it would otherwise get the task back at once.
 */
const aloneBackoff = { firstMs: 10_000, longestMs: 300_000 } as const;

type SettleOutcome = Settle['outcome'];

const failures: readonly SettleOutcome[] = ['failed', 'fatal', 'cancelled'];
const failuresAndRelease: readonly SettleOutcome[] = [...failures, 'released'];
const allButSuccess: readonly SettleOutcome[] = [...failuresAndRelease, 'snoozed', 'lost'];

/**
 * Returns the outcomes that a worker may have reported when this event was recorded, or undefined if the
 * event does not settle the lease with this fencing token.
 */
function recordedOutcomes(event: TaskEvent, fencingToken: number): readonly SettleOutcome[] | undefined {
  if (!('fencingToken' in event) || event.fencingToken !== fencingToken) return undefined;
  switch (event.kind) {
    case 'succeeded':
      return ['succeeded'];
    case 'snoozed':
      return ['snoozed'];
    case 'claimReleased':
      return ['released'];
    case 'leaseExpired':
      return ['lost'];
    // A cancellation or a passed deadline replaces every outcome that the worker reports, except a success.
    case 'cancelled':
      return allButSuccess;
    case 'died':
      if (event.reason === 'deadline' || event.reason === 'lifetime') return allButSuccess;
      if (event.reason === 'workerLost') return ['released', 'lost'];
      return event.errorType === releaseLimit ? failuresAndRelease : failures;
    case 'failed':
      return event.errorType === releaseLimit ? failuresAndRelease : failures;
    default:
      return undefined;
  }
}

/** Decides on a settlement whose lease is over: a repeat returns the recorded event, any other outcome is rejected. */
function decideLate(head: Head, tip: readonly TaskEvent[], command: Settle): Decision {
  // The last event of a lease is its end: an event `leaseExpired` may stand before the death of the task.
  for (const event of tip.toReversed()) {
    const outcomes = recordedOutcomes(event, command.fencingToken);
    // Any other outcome than the loss came too late for its lease.
    if (outcomes === undefined || (event.kind === 'leaseExpired' && command.outcome !== 'lost')) continue;
    if (!outcomes.includes(command.outcome)) return rejected({ why: 'outcomeRecorded', recorded: event });
    return { ok: true, events: [], head, recorded: event };
  }
  return rejected({ why: 'leaseLost' });
}

function retryOrDie(head: Head, facts: Facts, command: Failure, nowMs: number): TaskEvent {
  const { fencingToken, message, errorType } = command;
  const fatal = command.outcome === 'fatal';
  if (fatal || head.attempt >= facts.options.retry.maxAttempts) {
    return { ...died(head, facts, fatal ? 'fatal' : 'attempts', nowMs, fencingToken), message, errorType };
  }
  const waitMs = command.afterMs ?? backoffMs(facts.options.retry, head.attempt, command.random);
  return { kind: 'failed', atMs: nowMs, fencingToken, retryAtMs: nowMs + waitMs, message, errorType };
}

/**
 * Returns the event that replaces a reported outcome other than success if the task is cancelled or past its deadline;
 * otherwise undefined.
 */
function pendingEnd(head: Head, facts: Facts, command: Settle, nowMs: number): TaskEvent | undefined {
  const message = 'message' in command ? command.message : '';
  const { fencingToken } = command;
  if (head.cancelRequested) return { kind: 'cancelled', atMs: nowMs, fencingToken, actor: '', message };
  const reason = lapseReason(head, facts, nowMs);
  if (reason === undefined) return undefined;
  const errorType = 'errorType' in command ? command.errorType : '';
  return { ...died(head, facts, reason, nowMs, fencingToken), message, errorType };
}

/**
 * Returns true if the worker kept a task that must run alone until its time was over. A task that was given back earlier
 * (a recall for a free worker, a pause, a drain, a cut) has held up no worker and waits for none. The claim may have been
 * recorded by another node, whose clock may differ by `clockGuardMs`.
 */
function waitedInVain(head: Head, { tip }: Facts, { begun, fencingToken }: Release, nowMs: number): boolean {
  if (!runsAlone(head) || begun) return false;
  const claimed = tip.findLast((event) => event.kind === 'claimed');
  if (claimed?.fencingToken !== fencingToken) return false;
  return nowMs >= claimed.atMs + startWithinMs(head) - timing.clockGuardMs;
}

/**
 * Returns the event of a released lease. No release uses an attempt. A task that may begin only once and whose handler
 * was called cannot be given to another worker, so it is dead. Releases that never reached their worker, and those of a
 * task that waited in vain to run alone, count, and back off.
 */
function release(head: Head, facts: Facts, command: Release, nowMs: number): TaskEvent {
  const { fencingToken, begun } = command;
  if (begun && facts.options.retry.maxAttempts === 1) {
    const message = "the worker stopped during the task's only attempt";
    return { ...died(head, facts, 'workerLost', nowMs, fencingToken), message };
  }
  const waitedAlone = waitedInVain(head, facts, command, nowMs);
  const countsAsRelease = command.countsAsRelease || waitedAlone;
  const backoff = waitedAlone ? aloneBackoff : releaseBackoff;
  const further = waitedAlone ? head.releases : head.releases - limits.releases;
  const retryAtMs = countsAsRelease && further >= 0 ? nowMs + delayMs(backoff, further) : undefined;
  return { kind: 'claimReleased', atMs: nowMs, fencingToken, countsAsRelease, retryAtMs };
}

function outcome(head: Head, facts: Facts, command: Settle, nowMs: number): readonly TaskEvent[] {
  const { fencingToken } = command;
  switch (command.outcome) {
    case 'succeeded':
      return [{ kind: 'succeeded', atMs: nowMs, fencingToken, resultBytes: command.resultBytes }];
    case 'snoozed':
      return [{ kind: 'snoozed', atMs: nowMs, fencingToken, runAtMs: nowMs + command.afterMs }];
    case 'released':
      return [release(head, facts, command, nowMs)];
    case 'lost':
      return eventsOfLoss(head, facts, command.message, nowMs);
    default:
      return [retryOrDie(head, facts, command, nowMs)];
  }
}

/**
 * Decides on the outcome that a worker reports for its lease. A lease whose end has passed can still be
 * settled if no other write has ended the lease. A repeated settlement adds no event and returns the recorded
 * event; another outcome for the same fencing token is rejected.
 */
export function decideSettle(head: Head, facts: Facts, command: Settle, nowMs: number): Decision {
  if (head.state !== 'running' || head.fencingToken !== command.fencingToken)
    return decideLate(head, facts.tip, command);
  if (command.outcome !== 'succeeded') {
    const end = pendingEnd(head, facts, command, nowMs);
    if (end !== undefined) return accepted(head, [end]);
    if (command.outcome === 'cancelled') return rejected({ why: 'noCancelRequested' });
  }
  return accepted(head, outcome(head, facts, command, nowMs));
}
