import { type Answer, answerOf, type Json } from '../call.ts';

/**
 * The namespace of error types. AWS SDK v3 makes its typed errors of HTTP 400 answers with the type's name in `__type`.
 */
const namespace = 'com.amazonaws.dynamodb.v20120810#';

/**
 * The reason of a throttle: the exhausted capacity as AWS names it, such as `TableWriteProvisionedThroughputExceeded`,
 * and its table or index.
 */
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

/** The answer to a throttled request that is no transaction. */
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

/** The answer to a cancelled transaction, with one reason per item in the order of the request. */
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

/** The answer to a single write of an item that a transaction holds. */
export function transactionConflict(): Answer {
  return answerOf(400, { __type: `${namespace}TransactionConflictException`, message: conflictMessage });
}

/** The answer to a request whose client token belongs to a request that is still in flight. */
export function transactionInProgress(): Answer {
  return answerOf(400, {
    __type: `${namespace}TransactionInProgressException`,
    Message: 'The transaction with the given request token is already in progress.',
  });
}

export const internalServerErrorType = `${namespace}InternalServerError`;

/** The answer to a batch of which every item was throttled: HTTP 200, with all items unprocessed. */
export function unprocessed(operation: 'BatchGetItem' | 'BatchWriteItem', items: unknown): Answer {
  const body: Json =
    operation === 'BatchGetItem' ? { Responses: {}, UnprocessedKeys: items } : { UnprocessedItems: items };
  return answerOf(200, body);
}
