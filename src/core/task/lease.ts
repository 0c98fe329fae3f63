import type { Head } from './head.ts';

/**
 * A lease: the data by which any node can settle an attempt. An assignment carries the lease in encoded form
 * (codec/lease.ts), and the worker sends it back unread with every heartbeat and settlement. A lease proves nothing by
 * itself: the service compares its secret with the head's (`isFromClaim`) and the tenant with that of the caller, and the
 * store checks the fencing token.
 */
export interface Lease {
  readonly id: string;
  readonly fencingToken: number;
  /** The `leaseSecret` of the head, which the claim wrote. Empty in a lease of an older version. */
  readonly secret: string;
  /** The number of events of the task right after the claim. */
  readonly version: number;
  readonly timeoutAtMs: number;
  /** The receipt handle of the delivery. It is no secret: it is only used for messages of the task's own queue. */
  readonly receiptHandle: string;
}

/**
 * Returns false if the lease names the task's latest claim but was not given out by it: its secret is another one. A head
 * without a secret was written by an older version and accepts every lease, as that version does. A lease of an earlier
 * claim is not judged here: it changes nothing, because its fencing token is not the head's.
 */
export function isFromClaim(
  { fencingToken, leaseSecret }: Head,
  lease: Pick<Lease, 'fencingToken' | 'secret'>,
): boolean {
  return lease.fencingToken !== fencingToken || leaseSecret === '' || lease.secret === leaseSecret;
}
