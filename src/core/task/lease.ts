/**
 * A lease: the data by which any node can settle an attempt. An assignment carries the lease in encoded form
 * (codec/lease.ts), and the worker sends it back unread with every heartbeat and settlement. A lease proves nothing by
 * itself: the store checks the fencing token, and the service compares the tenant with that of the caller.
 */
export interface Lease {
  readonly id: string;
  readonly fencingToken: number;
  /** The number of events of the task right after the claim. */
  readonly version: number;
  readonly timeoutAtMs: number;
  /** The receipt handle of the delivery. It is no secret: it is only used for messages of the task's own queue. */
  readonly receiptHandle: string;
}
