import { createHash } from 'node:crypto';
import { timing } from '../../../../core/limits.ts';
import { type Priority, priorities } from '../../../../core/submission/submission.ts';
import type { QueueRef } from '../../../../ports/task-store.ts';

/** Seconds that a received message is hidden: a lease and its guard, so that a claim needs no call. */
export const visibilitySeconds = (timing.leaseMs + timing.clockGuardMs) / 1_000;
/** The longest that SQS keeps a message: 14 days. */
const retentionSeconds = 14 * 24 * 60 * 60;
/** Only what cannot be read is received so often: a bell is rung anew at its 50th receive. */
const maxReceiveCount = 100;

/** Where an operator enables nothing else: each level costs a queue of its own, polled for itself. */
export const defaultPriorities: readonly Priority[] = ['normal'];

/** One FIFO queue of SQS, with the queue that takes its dead letters. */
export interface SqsQueueDefinition {
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly name: string;
  readonly deadName: string;
  /** As SQS takes them; `RedrivePolicy` is added once the dead-letter queue's ARN is known. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly deadAttributes: Readonly<Record<string, string>>;
}

// 80 in all, '.fifo' and '-dead' included; what is cut off, the hash tells apart.
const prefixChars = 16;
const tenantChars = 12;
const queueChars = 22;
const hashChars = 10;

/** SQS takes letters, digits, hyphens and underscores. */
function printable(name: string, chars: number): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, chars);
}

function stem(prefix: string, { tenant, queue }: QueueRef): string {
  const said = `${prefix.length}:${prefix}${tenant.length}:${tenant}${queue}`;
  const hash = createHash('sha256').update(said).digest('hex');
  const readable = `${printable(tenant, tenantChars)}-${printable(queue, queueChars)}`;
  return `${printable(prefix, prefixChars)}-${readable}-${hash.slice(0, hashChars)}`;
}

// High throughput: order and deduplication within a group only. Both attributes are needed for it.
const fifo = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
  MessageRetentionPeriod: String(retentionSeconds),
} as const;

/** The name of the SQS queue that holds the bells of one Holdfast queue and priority. */
export function sqsQueueName(prefix: string, queue: QueueRef, priority: Priority): string {
  return `${stem(prefix, queue)}-${priority}.fifo`;
}

/** The name of the one that takes its dead letters. */
export function sqsDeadQueueName(prefix: string, queue: QueueRef, priority: Priority): string {
  return `${stem(prefix, queue)}-${priority}-dead.fifo`;
}

/**
 * The SQS queues of one Holdfast queue, one a priority: the only place that knows their names and attributes. Both
 * `holdfast aws init` and infrastructure as code read it.
 */
export function sqsQueuesOf(
  prefix: string,
  queue: QueueRef,
  enabled: readonly Priority[] = defaultPriorities,
): SqsQueueDefinition[] {
  return priorities
    .filter((priority) => enabled.includes(priority))
    .map((priority) => ({
      queue,
      priority,
      name: sqsQueueName(prefix, queue, priority),
      deadName: sqsDeadQueueName(prefix, queue, priority),
      attributes: { ...fifo, VisibilityTimeout: String(visibilitySeconds) },
      deadAttributes: fifo,
    }));
}

export function redrivePolicy(deadLetterTargetArn: string): string {
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount });
}
