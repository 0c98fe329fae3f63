import { createHash } from 'node:crypto';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { QueueRef } from '../../../ports/task-store.ts';

/** What names one receipt of a message, in whichever process it is used. */
export interface SqsReceipt {
  readonly queue: QueueRef;
  /** Of the SQS queue; a ring whose own priority is not enabled lies in another. */
  readonly level: Priority;
  readonly receivedAtMs: number;
  /** SQS's own; up to 1,024 characters. */
  readonly receipt: string;
}

const format = '1';
const checkChars = 8;

function checkOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, checkChars);
}

/** Text that a lease has room for beside its other fields: at most 1,024 for the receipt and 165 for the rest. */
export function encodeReceiptHandle({ queue, level, receivedAtMs, receipt }: SqsReceipt): string {
  const said = [format, queue.tenant, queue.queue, level, receivedAtMs.toString(36), receipt].join('/');
  return `${checkOf(said)}/${said}`;
}

/** Undefined: not a handle that Holdfast gave, or not whole. So no call is spent on it. */
export function decodeReceiptHandle(receiptHandle: string): SqsReceipt | undefined {
  const said = receiptHandle.slice(checkChars + 1);
  if (receiptHandle[checkChars] !== '/' || receiptHandle.slice(0, checkChars) !== checkOf(said))
    return undefined;
  const [version, tenant, name, level, receivedAt, ...receipt] = said.split('/');
  if (version !== format || tenant === undefined || name === undefined) return undefined;
  if (!priorities.includes(level as Priority) || receipt.length === 0) return undefined;
  return {
    queue: { tenant, queue: name },
    level: level as Priority,
    receivedAtMs: Number.parseInt(receivedAt ?? '', 36),
    receipt: receipt.join('/'),
  };
}
