import { type Facts, lapsed, leased } from './decision.ts';
import type { Head, Progress } from './head.ts';

export type Renewal =
  | { readonly verdict: 'renewed'; readonly leaseEndAtMs: number; readonly progress: Progress | undefined }
  /** Stop and settle: nothing is renewed, so that the lease's end forces it. */
  | { readonly verdict: 'cancel'; readonly cause: 'cancelled' | 'deadline' | 'timeout' }
  | { readonly verdict: 'leaseLost' };

/**
 * A heartbeat. Not an event: it moves the lease's end, never past the attempt's timeout. A spent lease that
 * nobody expired yet is renewed.
 */
export function renew(
  head: Head,
  facts: Facts,
  heartbeat: {
    readonly fencingToken: number;
    readonly leaseMs: number;
    readonly progress: Progress | undefined;
  },
  nowMs: number,
): Renewal {
  if (head.state !== 'running' || head.fencingToken !== heartbeat.fencingToken)
    return { verdict: 'leaseLost' };
  if (head.cancelRequested) return { verdict: 'cancel', cause: 'cancelled' };
  if (lapsed(head, facts, nowMs) !== undefined) return { verdict: 'cancel', cause: 'deadline' };
  if (head.timeoutAtMs !== undefined && nowMs >= head.timeoutAtMs)
    return { verdict: 'cancel', cause: 'timeout' };
  const { leaseEndAtMs } = leased(head, nowMs, heartbeat.leaseMs);
  return { verdict: 'renewed', leaseEndAtMs: leaseEndAtMs ?? nowMs, progress: heartbeat.progress };
}
