import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../../../core/errors.ts';
import type { Item } from '../table/schema/keys.ts';
import { isDenial, isThrottle, lacksCredentials } from './error-names.ts';

/** The kind of an error that the AWS SDK threw, by how Holdfast reacts to it. */
export type AwsErrorKind =
  /** The condition of a DynamoDB write failed. The error may carry the current item. */
  | 'condition'
  /** A DynamoDB transaction was cancelled. The error lists a reason for each item. */
  | 'cancelled'
  /** Another transaction held the DynamoDB item. Nothing was written, and the request may be sent again. */
  | 'conflict'
  /** The table, an index or a partition was overloaded, also after the SDK's retries. Nothing was written. */
  | 'throttled'
  | 'noTable'
  | 'denied'
  /** The AWS SDK found no credentials and sent no request. */
  | 'noCredentials'
  /** AWS refused the request as malformed. */
  | 'invalid'
  /** AWS did not answer, or answered with an internal error. The request may have taken effect. */
  | 'unknown';

const kindsByName: Readonly<Record<string, AwsErrorKind>> = {
  ConditionalCheckFailedException: 'condition',
  TransactionCanceledException: 'cancelled',
  TransactionConflictException: 'conflict',
  // An earlier request with the same client token is still running, even after the SDK's retries, so the transaction's
  // outcome is unknown.
  TransactionInProgressException: 'unknown',
  ReplicatedWriteConflictException: 'conflict',
  ResourceNotFoundException: 'noTable',
  ValidationException: 'invalid',
  SerializationException: 'invalid',
};

export function errorKindOf(thrown: unknown): AwsErrorKind {
  const name = thrown instanceof Error ? thrown.name : '';
  if (isThrottle(name)) return 'throttled';
  if (lacksCredentials(name)) return 'noCredentials';
  return isDenial(name) ? 'denied' : (kindsByName[name] ?? 'unknown');
}

/** Returns the current DynamoDB item that the error of a failed condition carries, or undefined if it carries none. */
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
    help: 'Nothing was done. Send the request again a little later, or send fewer requests at once.',
  });
}

/**
 * The error for a write that kept conflicting with other writes of one DynamoDB item, such as the item at the tail of
 * a busy lane (the tasks of one ordering key).
 */
export function storeContended(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', `Too many write ${what} at once.`, {
    cause,
    retryAfterMs: 500,
    help: 'Nothing was done. Send the request again a little later.',
  });
}

export function damagedTask(taskId: string, cause: unknown): HoldfastError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError(
    'DATA_LOSS',
    'STORE_CORRUPT',
    `Task '${taskId}' is damaged in the table: ${text}`,
    {
      taskId,
      cause,
      help: 'Another program than Holdfast wrote to the table. Restore the items of the task from a backup of the table.',
    },
  );
}

export const helpCredentials =
  'The AWS SDK looks in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the profile of ~/.aws that AWS_PROFILE names, and for the role of the machine or of the Fargate task.';

/**
 * The error of a running process that finds no AWS credentials. The error is retryable, since an operator may still
 * add credentials.
 */
export function noCredentials(cause: Error): HoldfastError {
  const message = `The server found no AWS credentials (${cause.message}).`;
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', message, { cause, help: helpCredentials });
}

/** The messages with which DynamoDB refuses a request because the table has other keys or indexes than the request names. */
const otherKeys =
  /key element does not match|specified index|missed key schema|Missing the key|[Tt]ype mismatch for (?:index )?key|number of conditions on the keys/i;

function isOfOtherSchema(thrown: unknown): boolean {
  return thrown instanceof Error && otherKeys.test(thrown.message);
}

function otherSchema(table: string, cause: Error): HoldfastError {
  const message = `The DynamoDB table '${table}' has other keys or indexes than a table of Holdfast (${cause.message}).`;
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
    cause,
    help: `Name the table that \`holdfast aws init\` made. \`holdfast aws init --table ${table} --check\` lists the differences.`,
  });
}

/** Returns the status of the answer that an error of the AWS SDK came with, or undefined if there was no answer. */
export function answeredStatusOf(thrown: unknown): number | undefined {
  const { $response, $metadata } = thrown as {
    readonly $response?: { readonly statusCode?: number };
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return $response?.statusCode ?? $metadata?.httpStatusCode;
}

function unansweredBy(thrown: unknown): string {
  const status = answeredStatusOf(thrown);
  return status === undefined ? 'The table did not answer' : `The table answered with the status ${status}`;
}

/** Turns an error that the AWS SDK threw for a DynamoDB call into a HoldfastError for callers. */
export function asStoreError(thrown: unknown, table: string): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  switch (errorKindOf(thrown)) {
    case 'throttled':
      return storeThrottled(thrown);
    case 'conflict':
      return storeContended('one item', thrown);
    case 'noTable':
      return new HoldfastError(
        'FAILED_PRECONDITION',
        'BAD_CONFIGURATION',
        `There is no DynamoDB table '${table}' in this region and account.`,
        {
          cause: thrown,
          help: 'Create the table with `holdfast aws init`, or name the right table, region and account.',
        },
      );
    case 'denied':
      return new HoldfastError(
        'UNAVAILABLE',
        'STORE_FAILED',
        `AWS refused the server's credentials (${text}).`,
        {
          cause: thrown,
          help: 'Give the server credentials that are valid and may use the table and its indexes.',
        },
      );
    case 'noCredentials':
      return noCredentials(thrown as Error);
    case 'invalid':
      if (isOfOtherSchema(thrown)) return otherSchema(table, thrown as Error);
      return new HoldfastError('INTERNAL', 'BUG', `The table refused a request as invalid (${text}).`, {
        cause: thrown,
        help: 'This is a defect. Please report it with the log lines around it.',
      });
    default:
      return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', `${unansweredBy(thrown)} (${text}).`, {
        cause: thrown,
        retryAfterMs: 1_000,
        help: 'The outcome is unknown. Retry with the same idempotency key.',
      });
  }
}
