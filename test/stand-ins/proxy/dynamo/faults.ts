import type { CommonFaults } from '../faults.ts';
import type { BillingMode } from './answers.ts';
import type { Limit } from './throttle/limits.ts';

/** What the DynamoDB proxy can do besides. Each part is off where it is undefined. */
export interface DynamoFaults extends CommonFaults {
  /** Token buckets. A request is admitted while its buckets hold anything, then charged what it really cost. */
  readonly limits?: readonly Limit[] | undefined;
  /**
   * How a throttle looks: `provisioned` (default): ProvisionedThroughputExceededException with its reasons;
   * `onDemand`: ThrottlingException. In a transaction: the reason's code.
   */
  readonly billing?: BillingMode | undefined;
  /** Requests conflict with transactions in flight; each is in flight `holdMs` longer than it takes. */
  readonly conflicts?: { readonly holdMs: number } | undefined;
  /** A Query or Scan of an index sees each change 0 … `upToMs` after it, by seed. */
  readonly indexLag?: { readonly upToMs: number } | undefined;
  /**
   * This share (0 to 1) of the reads that are not consistent (GetItem, BatchGetItem, and Query and Scan of the
   * table) sees each item one version back for 0 … `upToMs` after its last write, by seed. Infinity: until the next.
   */
  readonly staleReads?: { readonly share: number; readonly upToMs: number } | undefined;
}
