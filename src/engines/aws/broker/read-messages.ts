import type { Message } from '@aws-sdk/client-sqs';
import type { Delivery } from '../../../ports/broker.ts';
import { decodeMessage } from './message.ts';
import { encodeReceiptHandle } from './receipt-handle.ts';
import type { SqsQueue } from './sqs/queue.ts';

export interface ReadMessages {
  readonly deliveries: readonly Delivery[];
  /** SQS receipts of messages whose task has a later message among `deliveries`. */
  readonly duplicateReceipts: readonly string[];
  /** Messages that Holdfast did not write. SQS redelivers them, and in the end moves them to the dead-letter queue. */
  readonly unreadable: readonly Message[];
}

/**
 * Turns the messages of one ReceiveMessage call into deliveries. If several messages belong to one task, which is one
 * message group, the last message becomes the task's delivery, since SQS has delivered it least often and keeps it
 * longest.
 */
export function readMessages(messages: readonly Message[], queue: SqsQueue, nowMs: number): ReadMessages {
  const byTask = new Map<string, { delivery: Delivery; receipt: string }>();
  const duplicateReceipts: string[] = [];
  const unreadable: Message[] = [];
  for (const message of messages) {
    const receipt = message.ReceiptHandle ?? '';
    const dispatch = decodeMessage(message.Body ?? '', queue.queue);
    if (dispatch === undefined) {
      unreadable.push(message);
      continue;
    }
    const before = byTask.get(dispatch.id);
    if (before !== undefined) duplicateReceipts.push(before.receipt);
    const receiptHandle = encodeReceiptHandle({
      queue: queue.queue,
      level: queue.priority,
      receivedAtMs: nowMs,
      receipt,
    });
    const { ApproximateReceiveCount, SentTimestamp } = message.Attributes ?? {};
    const receiveCount = Number(ApproximateReceiveCount ?? 1);
    const sentAtMs = Number(SentTimestamp ?? nowMs);
    byTask.set(dispatch.id, {
      delivery: { message: dispatch, receiptHandle, receiveCount, sentAtMs, snapshot: undefined },
      receipt,
    });
  }
  return { deliveries: [...byTask.values()].map(({ delivery }) => delivery), duplicateReceipts, unreadable };
}
