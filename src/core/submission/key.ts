import { type Head, isEnded } from '../task/head.ts';
import type { Submission } from './submission.ts';

interface KeyHolder {
  readonly submission: Submission;
  readonly head: Head;
}

/**
 * Whether a task gives its idempotency key to another submission: it does so once its window is over and it has ended,
 * and in any case once it has expired.
 */
export function isKeyFree({ submission, head }: KeyHolder, nowMs: number): boolean {
  const { acceptedAtMs, options, expiresAtMs } = submission;
  if (nowMs >= expiresAtMs) return true;
  return isEnded(head) && nowMs >= acceptedAtMs + options.windowMs;
}
