import type { Message } from '@aws-sdk/client-sqs';
import type { Bell } from '../../../ports/broker.ts';
import { decodeRing } from './message.ts';
import { encodeHandle } from './receipt-handle.ts';
import type { SqsQueue } from './sqs/queue.ts';

export interface Received {
  readonly bells: readonly Bell[];
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
  const byTask = new Map<string, { bell: Bell; receipt: string }>();
  const doubles: string[] = [];
  const unreadable: Message[] = [];
  for (const message of messages) {
    const receipt = message.ReceiptHandle ?? '';
    const ring = decodeRing(message.Body ?? '', queue.queue);
    if (ring === undefined) {
      unreadable.push(message);
      continue;
    }
    const before = byTask.get(ring.id);
    if (before !== undefined) doubles.push(before.receipt);
    const handle = encodeHandle({
      queue: queue.queue,
      level: queue.priority,
      receivedAtMs: nowMs,
      receipt,
    });
    const { ApproximateReceiveCount, SentTimestamp } = message.Attributes ?? {};
    const receives = Number(ApproximateReceiveCount ?? 1);
    const sentAtMs = Number(SentTimestamp ?? nowMs);
    byTask.set(ring.id, { bell: { ring, handle, receives, sentAtMs, hint: undefined }, receipt });
  }
  return { bells: [...byTask.values()].map(({ bell }) => bell), doubles, unreadable };
}
