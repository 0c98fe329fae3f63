import type { Submission } from '../submission/submission.ts';
import type { TaskEvent } from './event.ts';

/**
 * Returns when a task that was just claimed had become ready, by the event before its claim. Undefined if that event is no
 * longer among the task's newest ones. A task that waited for its lane or a paused queue was ready all that time.
 */
export function readySinceMs(
  { acceptedAtMs, options }: Pick<Submission, 'acceptedAtMs' | 'options'>,
  tip: readonly TaskEvent[],
  version: number,
): number | undefined {
  const before = tip.at(-1)?.kind === 'claimed' ? tip.at(-2) : tip.at(-1);
  switch (before?.kind) {
    case 'failed':
      return before.retryAtMs;
    case 'snoozed':
      return before.runAtMs;
    case 'claimReleased':
    case 'leaseExpired':
      return before.retryAtMs ?? before.atMs;
    case 'redriven':
      return before.atMs;
    default:
      return before?.kind === 'submitted' || version <= 2
        ? Math.max(acceptedAtMs, options.runAtMs ?? 0)
        : undefined;
  }
}
