import type { Submission } from '../submission/submission.ts';
import type { TaskEvent } from './event.ts';

/** Returns since when a waiting task has been ready, by its newest event. */
export function readySinceMs({
  submission,
  tip,
}: {
  readonly submission: Submission;
  readonly tip: readonly TaskEvent[];
}): number {
  const last = tip.at(-1);
  if (last === undefined) return submission.submitted.runAtMs ?? submission.acceptedAtMs;
  switch (last.kind) {
    case 'failed':
      return last.retryAtMs;
    case 'snoozed':
      return last.runAtMs;
    case 'claimReleased':
    case 'leaseExpired':
      return last.retryAtMs ?? last.atMs;
    default:
      return last.atMs;
  }
}
