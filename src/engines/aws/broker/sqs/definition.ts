import { createHash } from 'node:crypto';
import { timing } from '../../../../core/limits.ts';
import { type Priority, priorities } from '../../../../core/priority.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';

/**
 * The visibility timeout of a received message, in seconds: the length of a lease plus a guard for differing clocks,
 * so that the claim of a task needs no call to SQS.
 */
export const visibilitySeconds = (timing.leaseMs + timing.clockGuardMs) / 1_000;
/** How long SQS keeps a message: 14 days, the maximum that SQS allows. */
const retentionSeconds = 14 * 24 * 60 * 60;
/**
 * The number of receives after which SQS moves a message to the dead-letter queue. Only an unreadable message is
 * received so often, since Holdfast replaces any other message by a new one at its 50th receive.
 */
const maxReceiveCount = 100;

/**
 * The priorities of a queue unless an operator enables others. Each priority costs an SQS queue that is polled
 * separately.
 */
export const defaultPriorities: readonly Priority[] = ['normal'];

/** The definition of the SQS FIFO queue of one Holdfast queue and priority, and of its dead-letter queue. */
export interface SqsQueueDefinition {
  readonly queue: QueueRef;
  readonly priority: Priority;
  readonly name: string;
  readonly deadName: string;
  /**
   * The attributes of the SQS queue without `RedrivePolicy`, which is added once the ARN of the dead-letter queue is
   * known.
   */
  readonly attributes: Readonly<Record<string, string>>;
  readonly deadAttributes: Readonly<Record<string, string>>;
}

/**
 * The form of the names of an installation's SQS queues. Form 2 puts `__` after the prefix, so that an IAM policy for
 * `<prefix>__*` reaches one installation. Form 1 is that of version 0.1.0 (`<prefix>-…`): two of its installations may share
 * what a policy matches. An installation keeps its form.
 */
export type NameForm = 1 | 2;
export const newNameForm: NameForm = 2;

// The name of an SQS queue has at most 80 characters, '.fifo' and '-dead' included. The hash in the name keeps the
// names of two Holdfast queues different if their ends are cut off.
const nameChars = 80;
const tenantChars = 12;
const queueChars = 22;
const hashChars = 10;
const prefixChars = { 1: 16, 2: 24 } as const;
const separator = { 1: '-', 2: '__' } as const;
/** The characters of a name beside prefix, separator, tenant and queue: three hyphens, the hash and the longest end. */
const otherChars = 3 + hashChars + 'normal-dead.fifo'.length;

/**
 * Returns why a prefix cannot begin the names of new SQS queues, or undefined if it can. No name of one prefix begins with
 * another prefix and `__`, because no prefix contains `__` or ends in `_`.
 */
export function prefixFault(prefix: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(prefix)) return 'has characters other than letters, digits, _ and -';
  const most = prefixChars[newNameForm];
  if (prefix.length > most) return `has ${prefix.length} characters, more than ${most}`;
  if (prefix.includes('__')) return 'contains __';
  return prefix.endsWith('_') ? 'ends in _' : undefined;
}

/**
 * Replaces all characters that SQS does not accept in a queue name, and cuts the name off after `chars` characters.
 */
function printable(name: string, chars: number): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, chars);
}

function stem(prefix: string, { tenant, queue }: QueueRef, form: NameForm): string {
  const text = `${prefix.length}:${prefix}${tenant.length}:${tenant}${queue}`;
  const hash = createHash('sha256').update(text).digest('hex');
  const first = `${printable(prefix, prefixChars[form])}${separator[form]}`;
  const shownTenant = printable(tenant, tenantChars);
  const room = nameChars - otherChars - first.length - shownTenant.length;
  const readable = `${shownTenant}-${printable(queue, Math.min(queueChars, room))}`;
  return `${first}${readable}-${hash.slice(0, hashChars)}`;
}

// `DeduplicationScope` and `FifoThroughputLimit` together select the high throughput mode of FIFO queues.
const fifo = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
  MessageRetentionPeriod: String(retentionSeconds),
} as const;

/** The name of the SQS queue that holds the dispatch messages of one Holdfast queue and priority. */
export function sqsQueueName(
  prefix: string,
  queue: QueueRef,
  priority: Priority,
  form: NameForm = newNameForm,
): string {
  return `${stem(prefix, queue, form)}-${priority}.fifo`;
}

/** The name of the dead-letter queue of one Holdfast queue and priority. */
export function sqsDeadQueueName(
  prefix: string,
  queue: QueueRef,
  priority: Priority,
  form: NameForm = newNameForm,
): string {
  return `${stem(prefix, queue, form)}-${priority}-dead.fifo`;
}

/**
 * Returns the SQS queues of one Holdfast queue, one per enabled priority, with their names and attributes. Both
 * `holdfast aws init` and infrastructure as code use these definitions.
 */
export function sqsQueuesOf(
  prefix: string,
  queue: QueueRef,
  enabled: readonly Priority[] = defaultPriorities,
  form: NameForm = newNameForm,
): SqsQueueDefinition[] {
  return priorities
    .filter((priority) => enabled.includes(priority))
    .map((priority) => ({
      queue,
      priority,
      name: sqsQueueName(prefix, queue, priority, form),
      deadName: sqsDeadQueueName(prefix, queue, priority, form),
      attributes: { ...fifo, VisibilityTimeout: String(visibilitySeconds) },
      deadAttributes: fifo,
    }));
}

export function redrivePolicy(deadLetterTargetArn: string): string {
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount });
}
