import { createHash } from 'node:crypto';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { DispatchMessage, DispatchReason } from '../../../ports/broker.ts';
import type { QueueRef } from '../../../ports/task-store.ts';

/** Whoever rings anew may do so again after this. */
const againSlotMs = 15_000;
const idChars = 128;
/** What SQS takes in a group and a deduplication id. */
const takenBySqs = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/;
const reasons: readonly DispatchReason[] = ['submit', 'due', 'handOver', 'redrive', 'again', 'dead'];
/** Of the body. A reader that does not know it leaves the message to those who do. */
const format = 1;

/** As it is where SQS takes it, else a hash: two different ids never meet. */
function sqsId(id: string): string {
  // A hash begins with '=', which is why an id that does so is hashed too.
  if (takenBySqs.test(id) && !id.startsWith('=')) return id;
  return `=${createHash('sha256').update(id).digest('base64url')}`.slice(0, idChars);
}

/** The messages of one task are one group: while one is held no other is given. */
export function groupOf(message: DispatchMessage): string {
  return sqsId(message.id);
}

/** SQS swallows a repeat of it for five minutes, even after the message was deleted. */
export function deduplicationOf(message: DispatchMessage, nowMs: number): string {
  const slot = message.reason === 'again' ? `/${Math.floor(nowMs / againSlotMs)}` : '';
  return sqsId(`${message.id}/${message.version}/${message.reason}${slot}`);
}

/** Tenant and queue are those of the SQS queue that it lies in. */
export function encodeMessage(message: DispatchMessage): string {
  const { id, priority, type, typeVersion, version, reason } = message;
  return JSON.stringify([format, id, type, typeVersion, version, reason, priority]);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Undefined: nothing that this version of Holdfast wrote. */
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
