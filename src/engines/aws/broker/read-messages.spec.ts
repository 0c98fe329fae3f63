import type { Message } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import type { DispatchMessage } from '../../../ports/broker.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { encodeMessage } from './message.ts';
import { readMessages } from './read-messages.ts';
import { decodeReceiptHandle } from './receipt-handle.ts';
import { SqsCalls, sqsClient } from './sqs/calls.ts';
import { SqsMeter } from './sqs/meter.ts';
import { SqsQueue } from './sqs/queue.ts';

const ref = { tenant: 'acme', queue: 'mail' };
// No test in this file calls SQS.
const calls = new SqsCalls(sqsClient({ region: 'eu-central-1' }), new SqsMeter());
const queue = new SqsQueue(calls, virtualClock(), { queue: ref, priority: 'normal', name: 'mail.fifo' });

function message(id: string, receipt: string, receiveCount: number, version = 1): Message {
  const fresh = { queue: ref, priority: 'normal', type: 'send', typeVersion: 1, reason: 'submit' } as const;
  const dispatch: DispatchMessage = { ...fresh, id, version };
  const Attributes = { ApproximateReceiveCount: String(receiveCount), SentTimestamp: '1000' };
  return { MessageId: receipt, Body: encodeMessage(dispatch), ReceiptHandle: receipt, Attributes };
}

test('readMessages turns only the last of several messages of a task into a delivery, and returns the receipts of the others', () => {
  const messages = [
    message('a', 'r1', 7),
    message('b', 'r2', 1),
    message('a', 'r3', 2, 2),
    message('a', 'r4', 1, 3),
  ];
  const { deliveries, duplicateReceipts, unreadable } = readMessages(messages, queue, 5_000);
  expect(
    deliveries.map(({ message: dispatch, receiveCount, sentAtMs }) => [
      dispatch.id,
      dispatch.version,
      receiveCount,
      sentAtMs,
    ]),
  ).toEqual([
    ['a', 3, 1, 1_000],
    ['b', 1, 1, 1_000],
  ]);
  expect(deliveries.map((delivery) => decodeReceiptHandle(delivery.receiptHandle))).toEqual([
    { queue: ref, level: 'normal', receivedAtMs: 5_000, receipt: 'r4' },
    { queue: ref, level: 'normal', receivedAtMs: 5_000, receipt: 'r2' },
  ]);
  expect(duplicateReceipts).toEqual(['r1', 'r3']);
  expect(unreadable).toEqual([]);
});

test('readMessages returns a message that cannot be decoded as unreadable, not as a duplicate', () => {
  const poison: Message = { MessageId: 'm', Body: 'nonsense', ReceiptHandle: 'r2', Attributes: {} };
  const { deliveries, duplicateReceipts, unreadable } = readMessages(
    [message('a', 'r1', 1), poison],
    queue,
    0,
  );
  expect(deliveries).toHaveLength(1);
  expect(duplicateReceipts).toEqual([]);
  expect(unreadable).toEqual([poison]);
});
