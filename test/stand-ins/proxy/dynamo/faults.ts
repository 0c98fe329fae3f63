import type { CommonFaults } from '../faults.ts';
import type { BillingMode } from './answers.ts';
import type { Tear } from './tear/tears.ts';
import type { Limit } from './throttle/limits.ts';

/** The faults of the DynamoDB proxy. An undefined fault is off. */
export interface DynamoFaults extends CommonFaults {
  /**
   * Capacity limits, each a token bucket. A request is admitted while the buckets of its limits hold units, then
   * charged its real cost.
   */
  readonly limits?: readonly Limit[] | undefined;
  /**
   * The error of a throttle: ProvisionedThroughputExceededException with its reasons for `provisioned` (default),
   * ThrottlingException for `onDemand`. A throttled transaction has the error's name as the code of a cancellation
   * reason.
   */
  readonly billing?: BillingMode | undefined;
  /**
   * Makes requests conflict with transactions in flight. Each request counts as in flight for `holdMs` longer than it
   * takes.
   */
  readonly conflicts?: { readonly holdMs: number } | undefined;
  /** A Query or Scan of an index sees each change after a lag from 0 to `upToMs`, which the seed decides. */
  readonly indexLag?: { readonly upToMs: number } | undefined;
  /**
   * Makes this share (0 to 1) of the inconsistent reads (GetItem, BatchGetItem, and Query and Scan of the table) stale.
   * A stale read sees each item one version back until a lag from 0 to `upToMs` after its last write is over; Infinity
   * makes the lag last until the next write. The seed decides reads and lags.
   */
  readonly staleReads?: { readonly share: number; readonly upToMs: number } | undefined;
  /**
   * Tears this share (0 to 1) of the transactions: their items become visible to Query, Scan and BatchGetItem one after the
   * other, each after 0 to `upToMs`. Their answers are held until all items are visible. The seed decides transactions and
   * order.
   */
  readonly tear?: Tear | undefined;
}
