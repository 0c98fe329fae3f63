import type { HoldfastError } from '../core/errors.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import type { DispatchMessage } from './broker.ts';

/**
 * A message in a dead-letter queue: the notice of a dead task, or a dispatch message that no worker received in time.
 */
export interface DeadLetter {
  /** The decoded message, or undefined if this version of Holdfast cannot read it. */
  readonly message: DispatchMessage | undefined;
  /**
   * The receipt handle: it names one receipt of a message. The handle is invalid after `delete`, `makeVisible`, the
   * next receipt of the message, or the visibility timeout.
   */
  readonly receiptHandle: string;
  /** The id of a message in the dead-letter queue, by which an operator finds the message there. */
  readonly messageId: string;
  /** When the message came into the dead-letter queue. */
  readonly sentAtMs: number;
}

/**
 * Publishes dead tasks to the queues that operators watch for alarms. The messages do not decide whether a
 * task is dead: a task is dead if the store lists it as dead.
 */
export interface DeadLetters {
  /**
   * Sends a dead-letter notice (reason `dead`) for each task. Returns one result per notice, in the order
   * given: true, or the error. A repeat of a notice within 5 minutes is dropped.
   */
  publish(deaths: readonly DispatchMessage[]): Promise<readonly (true | HoldfastError)[]>;
  /**
   * Returns up to `most` visible messages of a dead-letter queue, and an empty list once all were received. Received
   * messages are hidden for `hiddenMs`, and so are the other messages of their tasks.
   */
  receive(queue: QueueRef, most: number, hiddenMs: number): Promise<readonly DeadLetter[]>;
  /**
   * Deletes each message for ever. A result is false if the receipt handle is stale or the queue did not answer; the
   * message then becomes visible again by itself.
   */
  delete(receiptHandles: readonly string[]): Promise<readonly boolean[]>;
  /**
   * Makes each message visible at once. A result is false if the receipt handle is stale or the queue did not answer.
   */
  makeVisible(receiptHandles: readonly string[]): Promise<readonly boolean[]>;
}
