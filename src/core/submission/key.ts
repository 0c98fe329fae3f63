import { type Head, isEnded } from '../task/head.ts';
import type { Submission } from './submission.ts';

interface KeyHolder {
  readonly submission: Submission;
  readonly head: Head;
}

/**
 * Whether another submission may use a task's idempotency key: the task has ended and its deduplication window is over,
 * or the task has expired.
 */
export function isKeyFree({ submission, head }: KeyHolder, nowMs: number): boolean {
  const { acceptedAtMs, options, expiresAtMs } = submission;
  if (nowMs >= expiresAtMs) return true;
  return isEnded(head) && nowMs >= acceptedAtMs + options.windowMs;
}
