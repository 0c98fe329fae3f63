import type { Priority } from '../../../../core/submission/submission.ts';
import type { QueueRef } from '../../../../ports/task-store.ts';
import { asBrokerError } from './errors.ts';
import type { SqsQueue } from './queue.ts';

/** A queue with the priorities that it is registered with; none, or undefined: the default ones. */
export interface RegisteredQueue extends QueueRef {
  readonly priorities?: readonly Priority[] | undefined;
}

/** A queue that has no queue of this name on SQS. */
export interface MissingQueue extends QueueRef {
  readonly name: string;
  /** What to do. */
  readonly help: string | undefined;
}

/** Queues at once: a process that starts has better things to do. */
const atOnce = 8;

/**
 * Looks for each on SQS, once, and tells of those that are not there. Ends early where it is closed.
 *
 * @throws HoldfastError of the first other failure; the rest is not looked for then.
 */
export async function lookUpAll(
  queues: readonly SqsQueue[],
  missing: (queue: MissingQueue) => void,
  closing: AbortSignal,
): Promise<void> {
  const left = queues.values();
  let hasFailed = false;
  const look = async (): Promise<void> => {
    for (const queue of left) {
      if (hasFailed || closing.aborted) return;
      try {
        await queue.lookUp(closing);
      } catch (thrown) {
        if (closing.aborted) return;
        const error = asBrokerError(thrown);
        hasFailed = error.reason !== 'QUEUE_UNKNOWN';
        if (hasFailed) throw error;
        missing({ ...queue.queue, name: queue.name, help: error.help });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, look));
}
