import type { RetryPolicy } from './submission/submission.ts';

/**
 * How long to wait after failed attempt number `attempt` (from 1): exponential with full jitter.
 * `random` is in [0, 1) and comes from outside. The result is recorded in the event, so a replay never asks again.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const growth = Math.min(policy.factor ** Math.max(0, attempt - 1), Number.MAX_SAFE_INTEGER);
  const ceiling = Math.min(policy.maxMs, policy.baseMs * growth);
  return Math.max(1, Math.round(ceiling * random));
}
