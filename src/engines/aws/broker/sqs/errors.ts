import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../../../../core/errors.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';
import { isDenial, isThrottle, lacksCredentials, plainName } from '../../sdk/error-names.ts';
import { noCredentials } from '../../sdk/errors.ts';

export function brokerClosed(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The connection to SQS is closed.', {
    help: 'Nothing was done. Send the request to another process, or retry once this one is back.',
  });
}

/** The error for a Holdfast queue that has no SQS queue. */
export function noSqsQueue(queue: QueueRef, name: string, cause?: unknown): HoldfastError {
  const text = `Queue '${queue.queue}' of tenant '${queue.tenant}' has no SQS queue ('${name}').`;
  return new HoldfastError('NOT_FOUND', 'QUEUE_UNKNOWN', text, {
    cause,
    help: 'Check --queue-prefix, --region and --endpoint-sqs, or create the SQS queue with `holdfast aws init`.',
  });
}

function errorName(thrown: unknown): string {
  return thrown instanceof Error ? plainName(thrown.name) : '';
}

export function isMissingQueue(thrown: unknown): boolean {
  return errorName(thrown) === 'QueueDoesNotExist' || errorName(thrown) === 'NonExistentQueue';
}

/** Turns an error that the SDK threw after its retries into a HoldfastError for callers. */
export function asBrokerError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  if (isThrottle(errorName(thrown))) {
    return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'SQS is throttled.', {
      cause: thrown,
      retryAfterMs: 1_000,
      help: 'Send the request again with the same key a little later, or send fewer requests at once.',
    });
  }
  if (lacksCredentials(errorName(thrown))) return noCredentials(thrown as Error);
  if (isDenial(errorName(thrown))) {
    return new HoldfastError(
      'UNAVAILABLE',
      'STORE_FAILED',
      `AWS refused the server's credentials (${text}).`,
      {
        cause: thrown,
        help: 'Give the server credentials that are valid and may use its SQS queues.',
      },
    );
  }
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', `The call to SQS failed (${text}).`, {
    cause: thrown,
    retryAfterMs: 1_000,
    help: 'The task may not have been dispatched. Send the request again with the same key.',
  });
}

/** The error for one message that SQS refused within a batch. Other messages of the batch may have been sent. */
export function asSendError(entry: BatchResultErrorEntry): HoldfastError {
  const text = `${entry.Code}: ${entry.Message ?? 'no reason given'}`;
  if (isThrottle(entry.Code)) return asBrokerError(Object.assign(new Error(text), { name: entry.Code }));
  if (entry.SenderFault === true) {
    return new HoldfastError('INTERNAL', 'BUG', `SQS refused a dispatch message as invalid (${text}).`, {
      help: 'This is a defect. Please report it with the log lines around it.',
    });
  }
  return asBrokerError(new Error(text));
}
