import type { RetryPolicy } from './submission.ts';

/**
 * How long to wait after failed attempt number `attempt` (from 1): exponential with full jitter.
 * `random` is in [0, 1) and comes from outside. The result is recorded in the event, so a replay never asks again.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * policy.factor ** Math.max(0, attempt - 1));
  return Math.max(1, Math.round(ceiling * random));
}
