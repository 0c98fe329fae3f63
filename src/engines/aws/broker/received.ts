import type { Message } from '@aws-sdk/client-sqs';
import type { Delivery } from '../../../ports/broker.ts';
import { decodeMessage } from './message.ts';
import { encodeReceiptHandle } from './receipt-handle.ts';
import type { SqsQueue } from './sqs/queue.ts';

export interface Received {
  readonly deliveries: readonly Delivery[];
  /** Receipts of messages whose task has a later bell among `bells`. */
  readonly doubles: readonly string[];
  /** Left as they are: hidden until they come back, and dead letters once they came back often enough. */
  readonly unreadable: readonly Message[];
}

/**
 * What one receive brought. It may hold several messages of one task (one group): the last is its bell, since that one
 * was received least and is kept longest.
 */
export function readMessages(messages: readonly Message[], queue: SqsQueue, nowMs: number): Received {
  const byTask = new Map<string, { delivery: Delivery; receipt: string }>();
  const doubles: string[] = [];
  const unreadable: Message[] = [];
  for (const message of messages) {
    const receipt = message.ReceiptHandle ?? '';
    const dispatch = decodeMessage(message.Body ?? '', queue.queue);
    if (dispatch === undefined) {
      unreadable.push(message);
      continue;
    }
    const before = byTask.get(dispatch.id);
    if (before !== undefined) doubles.push(before.receipt);
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
  return { deliveries: [...byTask.values()].map(({ delivery }) => delivery), doubles, unreadable };
}
