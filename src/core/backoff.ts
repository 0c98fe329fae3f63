/** All growing delays of Holdfast: between attempts of a task, polls, reconnections and retries of background work. */
import type { RetryPolicy } from './submission/submission.ts';

/**
 * The range of a growing delay: the first and the longest one, in ms. Each delay is twice as long as the one before it.
 */
export interface BackoffRange {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The current wait after a failure, before the failed operation is tried again. */
export interface Backoff {
  readonly ms: number;
  readonly untilMs: number;
}

/**
 * Returns the first delay doubled `doublings` times, in ms, but at most the longest delay. A negative number counts as
 * 0.
 */
export function delayMs({ firstMs, longestMs }: BackoffRange, doublings: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.max(0, doublings));
}

/**
 * Returns the next of a series of growing delays, in ms: the double of `beforeMs`, but at least the first delay and at
 * most the longest one.
 */
export function nextDelayMs({ firstMs, longestMs }: BackoffRange, beforeMs: number): number {
  return Math.min(longestMs, Math.max(firstMs, 2 * beforeMs));
}

/** Returns the backoff after one more failure. `before` is the previous backoff, or undefined after a success. */
export function nextBackoff(before: Backoff | undefined, nowMs: number, range: BackoffRange): Backoff {
  const ms = nextDelayMs(range, before?.ms ?? 0);
  return { ms, untilMs: nowMs + ms };
}

/**
 * Returns the wait after failed attempt number `attempt` (from 1), in ms: exponential backoff with full jitter.
 * `random` is in [0, 1) and comes from the caller. The `failed` event records the time that follows from this wait, so
 * a replay of the events does not compute the wait again.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const growth = Math.min(policy.factor ** Math.max(0, attempt - 1), Number.MAX_SAFE_INTEGER);
  const ceiling = Math.min(policy.maxMs, policy.baseMs * growth);
  return Math.max(1, Math.round(ceiling * random));
}
