/** All growing delays of Holdfast: between attempts of a task, polls, reconnections and retries of background work. */
import type { RetryPolicy } from './submission/submission.ts';

/** The first and the longest delay. Each further delay is twice as long as the one before. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The current delay before the next try of something that failed. */
export interface Backoff {
  readonly ms: number;
  readonly untilMs: number;
}

/** Returns the delay after `doublings` doublings of the first one, in ms. Fewer than 0 count as 0. */
export function delayMs({ firstMs, longestMs }: BackoffRange, doublings: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.max(0, doublings));
}

/** Returns the delay that follows a delay of `beforeMs`; the first delay if `beforeMs` is 0. */
export function nextDelayMs({ firstMs, longestMs }: BackoffRange, beforeMs: number): number {
  return Math.min(longestMs, Math.max(firstMs, 2 * beforeMs));
}

/** Returns the backoff after one more failure. `before` is the backoff of the failure before it, if there was one. */
export function nextBackoff(before: Backoff | undefined, nowMs: number, range: BackoffRange): Backoff {
  const ms = nextDelayMs(range, before?.ms ?? 0);
  return { ms, untilMs: nowMs + ms };
}

/**
 * Returns the wait after failed attempt number `attempt` (from 1), in ms: exponential backoff with full jitter.
 * `random` is in [0, 1) and comes from the caller. The event records the result, so a replay does not compute it again.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const growth = Math.min(policy.factor ** Math.max(0, attempt - 1), Number.MAX_SAFE_INTEGER);
  const ceiling = Math.min(policy.maxMs, policy.baseMs * growth);
  return Math.max(1, Math.round(ceiling * random));
}
