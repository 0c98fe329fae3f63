import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../../../core/errors.ts';
import type { Item } from '../table/schema/keys.ts';
import { isDenial, isThrottle, lacksCredentials } from './error-names.ts';

/** What an error of the SDK means to us. */
export type Failure =
  /** A condition was not met; what stood there may come along. */
  | 'condition'
  /** A transaction was cancelled; its reasons say why, item by item. */
  | 'cancelled'
  /** Another transaction was under way on the item: nothing was done, and it may be sent again. */
  | 'conflict'
  /** Too much for the table, an index or a partition, after the SDK's own retries. Nothing was done. */
  | 'throttled'
  | 'noTable'
  | 'denied'
  /** None were found; nothing was sent. */
  | 'noCredentials'
  /** The request itself is at fault. */
  | 'invalid'
  /** No answer, or one that says nothing: whether it was done is unknown. */
  | 'unknown';

const failures: Readonly<Record<string, Failure>> = {
  ConditionalCheckFailedException: 'condition',
  TransactionCanceledException: 'cancelled',
  TransactionConflictException: 'conflict',
  // Of our own earlier request, whose outcome is not known yet. The SDK has waited for it already.
  TransactionInProgressException: 'unknown',
  ReplicatedWriteConflictException: 'conflict',
  ResourceNotFoundException: 'noTable',
  ValidationException: 'invalid',
  SerializationException: 'invalid',
};

export function failureOf(thrown: unknown): Failure {
  const name = thrown instanceof Error ? thrown.name : '';
  if (isThrottle(name)) return 'throttled';
  if (lacksCredentials(name)) return 'noCredentials';
  return isDenial(name) ? 'denied' : (failures[name] ?? 'unknown');
}

/** What stood where a condition failed, if the service said. */
export function currentItemIn(thrown: unknown): Item | undefined {
  const item = (thrown as { Item?: Item }).Item;
  return item === undefined || Object.keys(item).length === 0 ? undefined : item;
}

export function reasonsIn(thrown: unknown): readonly CancellationReason[] {
  return (thrown as { CancellationReasons?: readonly CancellationReason[] }).CancellationReasons ?? [];
}

export function storeClosed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The connection to the table is closed.', {
    help: 'Nothing was done. Send the request to another process, or retry once this one is back.',
  });
}

export function storeThrottled(cause?: unknown): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'The table is throttled.', {
    cause,
    retryAfterMs: 1_000,
    help: 'Nothing was done. Send the request again a little later, or fewer at once.',
  });
}

/** Transactions that met on one item again and again, such as the tail of a busy lane. */
export function storeContended(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', `Too many write ${what} at once.`, {
    cause,
    retryAfterMs: 500,
    help: 'Nothing was done. Send the request again a little later.',
  });
}

export function damagedTask(taskId: string, cause: unknown): HoldfastError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError(
    'DATA_LOSS',
    'STORE_CORRUPT',
    `Task '${taskId}' is damaged in the table: ${said}`,
    {
      taskId,
      cause,
      help: 'Something else than Holdfast wrote there. Restore the items of the task from a backup of the table.',
    },
  );
}

export const helpCredentials =
  'The AWS SDK looks in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile of ~/.aws that AWS_PROFILE names, and for the role of the machine or of the Fargate task.';

/** Of a process that runs: it may be given some yet. */
export function noCredentials(cause: Error): HoldfastError {
  const said = `The server found no AWS credentials (${cause.message}).`;
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', said, { cause, help: helpCredentials });
}

/** An error of the SDK, as callers are told of it. */
export function asStoreError(thrown: unknown, table: string): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  switch (failureOf(thrown)) {
    case 'throttled':
      return storeThrottled(thrown);
    case 'conflict':
      return storeContended('one item', thrown);
    case 'noTable':
      return new HoldfastError(
        'FAILED_PRECONDITION',
        'BAD_CONFIGURATION',
        `There is no table '${table}' here.`,
        {
          cause: thrown,
          help: 'Create it with `holdfast aws init`, or name the right table, region and account.',
        },
      );
    case 'denied':
      return new HoldfastError(
        'UNAVAILABLE',
        'STORE_FAILED',
        `AWS refused the server's credentials (${said}).`,
        {
          cause: thrown,
          help: 'Give the server credentials that are valid and may use the table and its indexes.',
        },
      );
    case 'noCredentials':
      return noCredentials(thrown as Error);
    case 'invalid':
      return new HoldfastError('INTERNAL', 'BUG', `The table refused a request as invalid (${said}).`, {
        cause: thrown,
        help: 'This is a defect. Please report it with the log lines around it.',
      });
    default:
      return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', `The table did not answer (${said}).`, {
        cause: thrown,
        retryAfterMs: 1_000,
        help: 'The outcome is unknown. Retry with the same idempotency key.',
      });
  }
}
