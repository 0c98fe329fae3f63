import { type Answer, answerOf, type Json } from '../call.ts';

/** The exact shapes by which AWS SDK v3 makes its typed errors: HTTP 400, the type's name in `__type`. */
const namespace = 'com.amazonaws.dynamodb.v20120810#';

/** As AWS names what ran out: `TableWriteProvisionedThroughputExceeded`, `IndexReadKeyRangeThroughputExceeded`, … */
export interface ThrottlingReason {
  readonly reason: string;
  readonly resource: string;
}

export interface CancellationReason {
  readonly Code: 'None' | 'TransactionConflict' | 'ThrottlingError' | 'ProvisionedThroughputExceeded';
  readonly Message?: string;
}

const provisionedMessage =
  'The level of configured provisioned throughput for the table was exceeded. ' +
  'Consider increasing your provisioning level with the UpdateTable API.';
const onDemandMessage =
  'Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table ' +
  'or index so please try again shortly.';
const conflictMessage = 'Transaction is ongoing for the item';

export type BillingMode = 'provisioned' | 'onDemand';

/** A single request that found a bucket empty. */
export function throttled(mode: BillingMode, reasons: readonly ThrottlingReason[]): Answer {
  return mode === 'provisioned'
    ? answerOf(400, {
        __type: `${namespace}ProvisionedThroughputExceededException`,
        message: provisionedMessage,
        ThrottlingReasons: reasons,
      })
    : answerOf(400, {
        __type: 'com.amazon.coral.availability#ThrottlingException',
        message: onDemandMessage,
      });
}

/** A transaction: one reason an item, in the order of the request. */
export function cancelled(reasons: readonly CancellationReason[]): Answer {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return answerOf(400, {
    __type: `${namespace}TransactionCanceledException`,
    Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    CancellationReasons: reasons,
  });
}

export const none: CancellationReason = { Code: 'None' };
export const conflictReason: CancellationReason = { Code: 'TransactionConflict', Message: conflictMessage };

export function throttledReason(mode: BillingMode): CancellationReason {
  return mode === 'provisioned'
    ? { Code: 'ProvisionedThroughputExceeded', Message: provisionedMessage }
    : { Code: 'ThrottlingError', Message: onDemandMessage };
}

/** A single write on an item that a transaction holds. */
export function transactionConflict(): Answer {
  return answerOf(400, { __type: `${namespace}TransactionConflictException`, message: conflictMessage });
}

/** The same client token, while its first request is still going on. */
export function transactionInProgress(): Answer {
  return answerOf(400, {
    __type: `${namespace}TransactionInProgressException`,
    Message: 'The transaction with the given request token is already in progress.',
  });
}

export const internalServerErrorType = `${namespace}InternalServerError`;

/** A batch of which everything was throttled for now: 200, and all of it to be sent again. */
export function unprocessed(operation: 'BatchGetItem' | 'BatchWriteItem', items: unknown): Answer {
  const body: Json =
    operation === 'BatchGetItem' ? { Responses: {}, UnprocessedKeys: items } : { UnprocessedItems: items };
  return answerOf(200, body);
}
