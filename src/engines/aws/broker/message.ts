import { createHash } from 'node:crypto';
import { type Priority, priorities } from '../../../core/priority.ts';
import type { QueueRef } from '../../../core/queue-ref.ts';
import type { DispatchMessage, DispatchReason } from '../../../ports/broker.ts';

/**
 * A dispatch message of a task can be sent with the reason `again` once per slot of 15 s; SQS drops repeats within a
 * slot.
 */
const resendSlotMs = 15_000;
const idChars = 128;
/** The text that SQS accepts as a message group id or a deduplication id. */
const acceptedBySqs = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/;
const reasons: readonly DispatchReason[] = ['submit', 'due', 'handOver', 'redrive', 'again', 'dead'];
/**
 * The version of the message body's format. A process that does not know a version leaves the message to newer
 * processes.
 */
const format = 1;

/**
 * Returns an id unchanged if SQS accepts it as a message group id or deduplication id, else a hash of the id. Two
 * different ids never give the same result.
 */
function sqsId(id: string): string {
  // Every hash begins with '=', so an id that begins with '=' must be hashed too.
  if (acceptedBySqs.test(id) && !id.startsWith('=')) return id;
  return `=${createHash('sha256').update(id).digest('base64url')}`.slice(0, idChars);
}

/**
 * Returns the SQS message group id of a dispatch message. All messages of one task form a group, so that SQS delivers
 * no second message of the task while the first is hidden.
 */
export function groupOf(message: DispatchMessage): string {
  return sqsId(message.id);
}

/**
 * Returns the SQS deduplication id of a dispatch message. SQS drops further messages with the same id for 5 minutes,
 * even after the first message was deleted.
 */
export function deduplicationOf(message: DispatchMessage, nowMs: number): string {
  const slot = message.reason === 'again' ? `/${Math.floor(nowMs / resendSlotMs)}` : '';
  return sqsId(`${message.id}/${message.version}/${message.reason}${slot}`);
}

/**
 * Encodes a dispatch message as the body of an SQS message. Tenant and queue are left out, since the SQS queue
 * determines them.
 */
export function encodeMessage(message: DispatchMessage): string {
  const { id, priority, type, typeVersion, version, reason } = message;
  return JSON.stringify([format, id, type, typeVersion, version, reason, priority]);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Decodes the body of an SQS message. Returns undefined if this version of Holdfast cannot have written the body. */
export function decodeMessage(body: string, queue: QueueRef): DispatchMessage | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts[0] !== format) return undefined;
  const [, id, type, typeVersion, version, reason, priority] = parts as unknown[];
  if (!isText(id) || !isText(type) || !isCount(typeVersion) || !isCount(version)) return undefined;
  if (!reasons.includes(reason as DispatchReason) || !priorities.includes(priority as Priority))
    return undefined;
  return {
    id,
    queue,
    type,
    typeVersion,
    version,
    reason: reason as DispatchReason,
    priority: priority as Priority,
  };
}
