import type { Priority } from '../../../../core/priority.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';
import { asBrokerError } from './errors.ts';
import type { SqsQueue } from './queue.ts';

/** A Holdfast queue with its registered priorities. An empty list or undefined stands for the default priorities. */
export interface RegisteredQueue extends QueueRef {
  readonly priorities?: readonly Priority[] | undefined;
}

/** A Holdfast queue whose SQS queue, called `name`, does not exist. */
export interface MissingQueue extends QueueRef {
  readonly name: string;
  /** Advice on how to create or find the SQS queue. */
  readonly help: string | undefined;
}

/**
 * The maximum number of concurrent look-ups of SQS queues. A starting process must not use all its connections for
 * look-ups.
 */
const lookUpsAtOnce = 8;

/**
 * Looks each SQS queue up once and calls `onMissing` for each SQS queue that does not exist. Stops early, without an
 * error, if the broker is closed.
 *
 * @throws HoldfastError if a look-up fails for another reason. No further SQS queue is looked up then.
 */
export async function lookUpAll(
  queues: readonly SqsQueue[],
  onMissing: (queue: MissingQueue) => void,
  closing: AbortSignal,
): Promise<void> {
  const left = queues.values();
  let hasFailed = false;
  const lookUpNext = async (): Promise<void> => {
    for (const queue of left) {
      if (hasFailed || closing.aborted) return;
      try {
        await queue.lookUp(closing);
      } catch (thrown) {
        if (closing.aborted) return;
        const error = asBrokerError(thrown);
        hasFailed = error.reason !== 'QUEUE_UNKNOWN';
        if (hasFailed) throw error;
        onMissing({ ...queue.queue, name: queue.name, help: error.help });
      }
    }
  };
  await Promise.all(Array.from({ length: lookUpsAtOnce }, lookUpNext));
}
