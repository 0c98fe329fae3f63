import { createHash } from 'node:crypto';
import { type Priority, priorities } from '../../../core/priority.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';

/**
 * The content of a receipt handle of Holdfast, which identifies one receive of an SQS message and is valid in any
 * process.
 */
export interface SqsReceipt {
  readonly queue: QueueRef;
  /**
   * The priority of the SQS queue that held the message. It differs from the message's own priority if no SQS queue
   * exists for the latter.
   */
  readonly level: Priority;
  readonly receivedAtMs: number;
  /** The receipt handle of SQS, up to 1,024 characters. */
  readonly receipt: string;
}

const format = '1';
const checkChars = 8;

function checkOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, checkChars);
}

/**
 * Encodes a receipt handle. The text has at most 1,189 characters, so that it fits into a lease beside the lease's
 * other fields.
 */
export function encodeReceiptHandle({ queue, level, receivedAtMs, receipt }: SqsReceipt): string {
  const text = [format, queue.tenant, queue.queue, level, receivedAtMs.toString(36), receipt].join('/');
  return `${checkOf(text)}/${text}`;
}

/**
 * Decodes a receipt handle. Returns undefined if Holdfast did not make the handle or it is cut off, so that no call to
 * SQS is wasted on it.
 */
export function decodeReceiptHandle(receiptHandle: string): SqsReceipt | undefined {
  const text = receiptHandle.slice(checkChars + 1);
  if (receiptHandle[checkChars] !== '/' || receiptHandle.slice(0, checkChars) !== checkOf(text))
    return undefined;
  const [version, tenant, name, level, receivedAt, ...receipt] = text.split('/');
  if (version !== format || tenant === undefined || name === undefined) return undefined;
  if (!priorities.includes(level as Priority) || receipt.length === 0) return undefined;
  return {
    queue: { tenant, queue: name },
    level: level as Priority,
    receivedAtMs: Number.parseInt(receivedAt ?? '', 36),
    receipt: receipt.join('/'),
  };
}
