import { backoffMs } from '../backoff.ts';
import { limits } from '../limits.ts';
import type { Decision, Settle } from './command.ts';
import { accepted, died, type Facts, lapsed, rejected } from './decision.ts';
import type { TaskEvent } from './event.ts';
import type { Head } from './head.ts';

type Failure = Extract<Settle, { outcome: 'failed' | 'fatal' | 'cancelled' }>;
type Release = Extract<Settle, { outcome: 'released' }>;

const releaseLimit = 'ReleaseLimit';

type Outcome = Settle['outcome'];

const failures: readonly Outcome[] = ['failed', 'fatal', 'cancelled'];
const failuresAndRelease: readonly Outcome[] = [...failures, 'released'];
const allButSuccess: readonly Outcome[] = [...failuresAndRelease, 'snoozed'];

/** Of which outcomes an event is the record, for the lease that held `token`; undefined: of none. */
function recordedOutcomes(event: TaskEvent, fencingToken: number): readonly Outcome[] | undefined {
  if (!('fencingToken' in event) || event.fencingToken !== fencingToken) return undefined;
  switch (event.kind) {
    case 'succeeded':
      return ['succeeded'];
    case 'snoozed':
      return ['snoozed'];
    case 'claimReleased':
      return ['released'];
    // An end that was asked for or due took the place of whatever the worker told, but for a success.
    case 'cancelled':
      return allButSuccess;
    case 'died':
      if (event.reason === 'deadline' || event.reason === 'lifetime') return allButSuccess;
      return event.errorType === releaseLimit ? failuresAndRelease : failures;
    case 'failed':
      return event.errorType === releaseLimit ? failuresAndRelease : failures;
    default:
      return undefined;
  }
}

/** The lease is over: a repeat is answered with what was recorded, anything else refused. */
function decideLate(head: Head, tip: readonly TaskEvent[], command: Settle): Decision {
  for (const event of tip) {
    const outcomes = recordedOutcomes(event, command.fencingToken);
    if (outcomes === undefined) continue;
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

/** An end that was asked for while the attempt ran, and that everything but a success now brings. */
function endAskedFor(head: Head, facts: Facts, command: Settle, nowMs: number): TaskEvent | undefined {
  const message = 'message' in command ? command.message : '';
  const { fencingToken } = command;
  if (head.cancelRequested) return { kind: 'cancelled', atMs: nowMs, fencingToken, actor: '', message };
  const reason = lapsed(head, facts, nowMs);
  if (reason === undefined) return undefined;
  const errorType = 'errorType' in command ? command.errorType : '';
  return { ...died(head, facts, reason, nowMs, fencingToken), message, errorType };
}

function release(head: Head, facts: Facts, command: Release, nowMs: number): TaskEvent {
  const { fencingToken, counted } = command;
  if (!counted || head.releases < limits.releases)
    return { kind: 'claimReleased', atMs: nowMs, fencingToken, counted };
  const message = `given back ${limits.releases} times without having been begun`;
  const failure: Failure = {
    kind: 'settle',
    fencingToken,
    outcome: 'failed',
    message,
    errorType: releaseLimit,
    afterMs: undefined,
    random: command.random,
  };
  return retryOrDie(head, facts, failure, nowMs);
}

function outcome(head: Head, facts: Facts, command: Settle, nowMs: number): TaskEvent {
  const { fencingToken } = command;
  switch (command.outcome) {
    case 'succeeded':
      return { kind: 'succeeded', atMs: nowMs, fencingToken, resultBytes: command.resultBytes };
    case 'snoozed':
      return { kind: 'snoozed', atMs: nowMs, fencingToken, runAtMs: nowMs + command.afterMs };
    case 'released':
      return release(head, facts, command, nowMs);
    default:
      return retryOrDie(head, facts, command, nowMs);
  }
}

/**
 * A worker's outcome for the lease that its token names. A spent lease that nobody expired still settles. A
 * repeat adds no event and is answered with what was recorded; the same token with another outcome is refused.
 */
export function decideSettle(head: Head, facts: Facts, command: Settle, nowMs: number): Decision {
  if (head.state !== 'running' || head.fencingToken !== command.fencingToken)
    return decideLate(head, facts.tip, command);
  if (command.outcome !== 'succeeded') {
    const end = endAskedFor(head, facts, command, nowMs);
    if (end !== undefined) return accepted(head, [end]);
    if (command.outcome === 'cancelled') return rejected({ why: 'noCancelRequested' });
  }
  return accepted(head, [outcome(head, facts, command, nowMs)]);
}
