import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../../../../core/errors.ts';
import type { QueueRef } from '../../../../ports/task-store.ts';
import { isDenial, isThrottle, lacksCredentials, plainName } from '../../sdk/error-names.ts';
import { noCredentials } from '../../sdk/errors.ts';

export function brokerClosed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The connection to the bells is closed.', {
    help: 'Nothing was done. Send the request to another process, or retry once this one is back.',
  });
}

/** A Holdfast queue that has no queue on SQS. */
export function noSqsQueue(queue: QueueRef, name: string, cause?: unknown): HoldfastError {
  const said = `Queue '${queue.queue}' of tenant '${queue.tenant}' has no SQS queue ('${name}').`;
  return new HoldfastError('NOT_FOUND', 'QUEUE_UNKNOWN', said, {
    cause,
    help: 'Check --queue-prefix, --region and --endpoint-sqs, or make it with `holdfast aws init`.',
  });
}

function named(thrown: unknown): string {
  return thrown instanceof Error ? plainName(thrown.name) : '';
}

export function isMissingQueue(thrown: unknown): boolean {
  return named(thrown) === 'QueueDoesNotExist' || named(thrown) === 'NonExistentQueue';
}

/** An error of the SDK, after its own retries, as callers are told of it. */
export function asBrokerError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  if (isThrottle(named(thrown))) {
    return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'SQS is throttled.', {
      cause: thrown,
      retryAfterMs: 1_000,
      help: 'Send the request again with the same key a little later, or fewer at once.',
    });
  }
  if (lacksCredentials(named(thrown))) return noCredentials(thrown as Error);
  if (isDenial(named(thrown))) {
    return new HoldfastError(
      'UNAVAILABLE',
      'STORE_FAILED',
      `AWS refused the server's credentials (${said}).`,
      {
        cause: thrown,
        help: 'Give the server credentials that are valid and may use its SQS queues.',
      },
    );
  }
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', `SQS did not do what was asked (${said}).`, {
    cause: thrown,
    retryAfterMs: 1_000,
    help: 'The bell may not have rung. Send the request again with the same key.',
  });
}

/** One message of a batch that was not sent, the others of it notwithstanding. */
export function asSendError(entry: BatchResultErrorEntry): HoldfastError {
  const said = `${entry.Code}: ${entry.Message ?? 'no reason given'}`;
  if (isThrottle(entry.Code)) return asBrokerError(Object.assign(new Error(said), { name: entry.Code }));
  if (entry.SenderFault === true) {
    return new HoldfastError('INTERNAL', 'BUG', `SQS refused a bell as invalid (${said}).`, {
      help: 'This is a defect. Please report it with the log lines around it.',
    });
  }
  return asBrokerError(new Error(said));
}
