/**
 * What a lease says: enough for any node to settle it. An assignment carries it, encoded (codec/lease.ts), and
 * every heartbeat and settlement echoes it; to the worker it is opaque. It proves nothing by itself: the store's
 * condition on the token decides, and the tenant is compared with the caller's.
 */
export interface Lease {
  readonly id: string;
  readonly fencingToken: number;
  /** Number of events right after the claim. */
  readonly version: number;
  readonly timeoutAtMs: number;
  /** The bell's handle. It is no secret and no proof: it is used for the bells of the task's own queue only. */
  readonly receiptHandle: string;
}
