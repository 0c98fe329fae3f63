import { type Facts, lapseReason, leaseEndOfRenewal } from './decision.ts';
import type { Head, Progress } from './head.ts';

export type HeartbeatDecision =
  | {
      readonly verdict: 'renewed';
      readonly leaseEndAtMs: number;
      readonly begun: boolean;
      readonly progress: Progress | undefined;
    }
  /**
   * The worker must stop its attempt and settle. The lease is not renewed, so it expires if the worker does not stop.
   */
  | { readonly verdict: 'cancel'; readonly cause: 'cancelled' | 'deadline' | 'timeout' }
  | { readonly verdict: 'leaseLost' };

/**
 * Decides on a worker's heartbeat. A heartbeat has no event: it moves the end of the lease, at most to the attempt's
 * timeout, and records that the handler was called. A lease whose end has passed is renewed if no other write has ended it.
 */
export function renew(
  head: Head,
  facts: Facts,
  heartbeat: {
    readonly fencingToken: number;
    readonly leaseMs: number;
    /** True if the handler of the attempt was called, or is about to be called once this heartbeat is stored. */
    readonly begun: boolean;
    readonly progress: Progress | undefined;
  },
  nowMs: number,
): HeartbeatDecision {
  if (head.state !== 'running' || head.fencingToken !== heartbeat.fencingToken)
    return { verdict: 'leaseLost' };
  if (head.cancelRequested) return { verdict: 'cancel', cause: 'cancelled' };
  if (lapseReason(head, facts, nowMs) !== undefined) return { verdict: 'cancel', cause: 'deadline' };
  if (head.timeoutAtMs !== undefined && nowMs >= head.timeoutAtMs)
    return { verdict: 'cancel', cause: 'timeout' };
  const leaseEndAtMs = leaseEndOfRenewal(head, nowMs, heartbeat.leaseMs);
  const begun = head.begun || heartbeat.begun;
  return { verdict: 'renewed', leaseEndAtMs, begun, progress: heartbeat.progress };
}
