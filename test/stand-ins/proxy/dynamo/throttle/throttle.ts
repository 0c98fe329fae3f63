import type { Answer, Json } from '../../call.ts';
import {
  type BillingMode,
  cancelled,
  none,
  type ThrottlingReason,
  throttled,
  throttledReason,
} from '../answers.ts';
import { isBatch, split } from '../batches.ts';
import type { CapacityTarget, LimitBook } from './limits.ts';

/** The part of a request that the capacity limits admit, and the partitions to charge for it. */
export interface AdmittedRequest {
  readonly body: Json;
  readonly targets: readonly CapacityTarget[];
  /** The throttled items of a batch, which are not forwarded. */
  readonly unprocessed: Readonly<Record<string, unknown>>;
}

const isDefined = <T>(one: T | undefined): one is T => one !== undefined;

function refusalOf(book: LimitBook, targets: readonly CapacityTarget[]): ThrottlingReason | undefined {
  for (const target of targets) {
    const refusal = book.refusal(target);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/**
 * Decides which part of a request the capacity limits admit. `targets` lists the partitions that each item, or the
 * query, uses. Returns the error answer of a throttle if no part is admitted.
 */
export function admit(
  book: LimitBook,
  mode: BillingMode,
  operation: string,
  body: Json,
  targets: readonly (readonly CapacityTarget[])[],
): AdmittedRequest | Answer {
  const refusals = targets.map((of) => refusalOf(book, of));
  const refused = refusals.filter(isDefined);
  if (refused.length === 0) return { body, targets: targets.flat(), unprocessed: {} };
  if (operation.startsWith('Transact')) {
    return cancelled(refusals.map((refusal) => (refusal === undefined ? none : throttledReason(mode))));
  }
  if (!isBatch(operation) || refused.length === targets.length) return throttled(mode, refused);
  const parts = split(operation, body, refusals.map(isDefined));
  return { ...parts, targets: targets.filter((_, i) => refusals[i] === undefined).flat() };
}

/**
 * Makes the error answer of a throttle without a look at the token buckets. In a transaction the first item counts as
 * throttled.
 */
export function forcedThrottle(mode: BillingMode, operation: string, items: number, table: string): Answer {
  if (operation.startsWith('Transact')) {
    return cancelled(
      Array.from({ length: Math.max(1, items) }, (_, i) => (i === 0 ? throttledReason(mode) : none)),
    );
  }
  const kind = /^(Get|BatchGet|Query|Scan)/.test(operation) ? 'Read' : 'Write';
  const resource = `arn:aws:dynamodb:local:000000000000:table/${table}`;
  return throttled(mode, [{ reason: `Table${kind}ProvisionedThroughputExceeded`, resource }]);
}
