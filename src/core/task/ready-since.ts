import type { Submission } from '../submission/submission.ts';
import type { TaskEvent } from './event.ts';

/** A task, as far as it says when it became ready. */
export interface ReadyTask {
  readonly submission: Pick<Submission, 'acceptedAtMs' | 'options'>;
  readonly tip: readonly TaskEvent[];
}

/**
 * Returns since when a waiting task has been ready, by its newest event. A task that waits for its lane or in a paused queue
 * is ready all that time.
 */
export function readySinceMs({ submission, tip }: ReadyTask): number {
  return readyAfterMs(submission, tip.at(-1));
}

/**
 * Returns when a task that was just claimed had become ready, by the event before its claim. Undefined if that event is no
 * longer among the task's newest ones.
 */
export function readyBeforeClaimMs({ submission, tip }: ReadyTask, version: number): number | undefined {
  const before = tip.at(-1)?.kind === 'claimed' ? tip.at(-2) : tip.at(-1);
  return before === undefined && version > 2 ? undefined : readyAfterMs(submission, before);
}

function readyAfterMs(
  { acceptedAtMs, options }: ReadyTask['submission'],
  event: TaskEvent | undefined,
): number {
  if (event === undefined) return Math.max(acceptedAtMs, options.runAtMs ?? 0);
  switch (event.kind) {
    case 'submitted':
      return Math.max(acceptedAtMs, options.runAtMs ?? 0);
    case 'failed':
      return event.retryAtMs;
    case 'snoozed':
      return event.runAtMs;
    case 'claimReleased':
    case 'leaseExpired':
      return event.retryAtMs ?? event.atMs;
    default:
      return event.atMs;
  }
}
