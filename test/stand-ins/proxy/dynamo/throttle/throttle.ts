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
import type { LimitBook, Place } from './limits.ts';

/** What goes on of a request, and at which places it will be charged. */
export interface Admitted {
  readonly body: Json;
  readonly places: readonly Place[];
  /** The items of a batch that did not go on. */
  readonly left: Readonly<Record<string, unknown>>;
}

const isThere = <T>(one: T | undefined): one is T => one !== undefined;

function refusalOf(book: LimitBook, places: readonly Place[]): ThrottlingReason | undefined {
  for (const place of places) {
    const refusal = book.refusal(place);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** `places`: of each item of the request, or of the query. Answers with a throttle where nothing of it may go on. */
export function admit(
  book: LimitBook,
  mode: BillingMode,
  operation: string,
  body: Json,
  places: readonly (readonly Place[])[],
): Admitted | Answer {
  const refusals = places.map((of) => refusalOf(book, of));
  const refused = refusals.filter(isThere);
  if (refused.length === 0) return { body, places: places.flat(), left: {} };
  if (operation.startsWith('Transact')) {
    return cancelled(refusals.map((refusal) => (refusal === undefined ? none : throttledReason(mode))));
  }
  if (!isBatch(operation) || refused.length === places.length) return throttled(mode, refused);
  const parts = split(operation, body, refusals.map(isThere));
  return { ...parts, places: places.filter((_, i) => refusals[i] === undefined).flat() };
}

/** A throttle of a request, whatever the buckets say. Of a transaction: of its first item. */
export function throttleAnyway(mode: BillingMode, operation: string, items: number, table: string): Answer {
  if (operation.startsWith('Transact')) {
    return cancelled(
      Array.from({ length: Math.max(1, items) }, (_, i) => (i === 0 ? throttledReason(mode) : none)),
    );
  }
  const kind = /^(Get|BatchGet|Query|Scan)/.test(operation) ? 'Read' : 'Write';
  const resource = `arn:aws:dynamodb:local:000000000000:table/${table}`;
  return throttled(mode, [{ reason: `Table${kind}ProvisionedThroughputExceeded`, resource }]);
}
