import type { TaskEvent } from '../../core/task/event.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { attemptOutcomes } from './catalogue/tasks.ts';

export type AttemptEnd = (typeof attemptOutcomes)[number];

/** The error type by which an expired lease records that the attempt had reached its timeout. */
const timeoutError = 'TimeoutError';

/**
 * Returns how a claim ended by this event, or undefined if the event ends no claim. `before` is the task before the event,
 * and `begun` is false if a release was reported for a handler that was not called.
 */
export function endOfClaim(
  before: Snapshot,
  event: TaskEvent,
  begun: boolean | undefined,
): AttemptEnd | undefined {
  switch (event.kind) {
    case 'succeeded':
    case 'snoozed':
      return event.kind;
    case 'failed':
      return event.errorType === timeoutError ? 'timeout' : 'failed';
    case 'claimReleased':
      return begun === false ? 'recalled' : 'released';
    case 'leaseExpired':
      return event.countsAsLoss ? 'worker_lost' : 'lease_expired';
    case 'cancelled':
      return event.fencingToken === undefined ? undefined : 'cancelled';
    case 'died':
      return before.head.state === 'running' ? endOfDeath(event.reason, event.errorType) : undefined;
    default:
      return undefined;
  }
}

function endOfDeath(reason: (TaskEvent & { kind: 'died' })['reason'], errorType: string): AttemptEnd {
  switch (reason) {
    case 'attempts':
      return errorType === timeoutError ? 'timeout' : 'failed';
    case 'fatal':
      return 'fatal';
    case 'workerLost':
      return 'worker_lost';
    case 'deadline':
    case 'lifetime':
      return 'deadline';
  }
}

/** Returns when the task was claimed whose claim has ended, as far as its newest events show. */
export function claimedAtMs({ tip }: Snapshot): number | undefined {
  for (let i = tip.length - 1; i >= 0; i--) {
    const event = tip[i];
    if (event?.kind === 'claimed') return event.atMs;
  }
  return undefined;
}
