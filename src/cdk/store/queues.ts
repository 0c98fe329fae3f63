import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { type Priority, priorities } from '../../core/priority.ts';
import { name as nameRule } from '../../core/rules.ts';
import {
  defaultPriorities,
  redrivePolicy,
  type SqsQueueDefinition,
  sqsQueuesOf,
} from '../../engines/aws/broker/sqs/definition.ts';
import { oneOf, refusal } from '../refusal.ts';

/** A queue of Holdfast. Each of its priorities is an SQS queue with a dead-letter queue. */
export interface HoldfastQueueProps {
  readonly name: string;
  /** Default: `default`. */
  readonly tenant?: string;
  /** `high`, `normal`, `low`, as `aws init --priorities` takes them. Default: `normal` alone. */
  readonly priorities?: string[];
}

/** The SQS queue of one queue and priority. */
export interface HoldfastSqsQueue {
  readonly queue: string;
  readonly tenant: string;
  readonly priority: string;
  readonly name: string;
  readonly deadName: string;
  readonly arn: string;
  readonly deadArn: string;
}

export interface CreateQueuesOptions {
  readonly prefix: string;
  readonly queues: readonly HoldfastQueueProps[];
  readonly removalPolicy: RemovalPolicy;
  readonly encryptionKey?: kms.IKey;
}

const isName = nameRule();

/** Returns the definitions of the SQS queues of all queues, as `aws init` has them. */
export function sqsQueuesFor(prefix: string, queues: readonly HoldfastQueueProps[]): SqsQueueDefinition[] {
  return queues.flatMap(({ name, tenant = 'default', priorities: enabled }) =>
    sqsQueuesOf(prefix, { tenant, queue: name }, (enabled as Priority[] | undefined) ?? defaultPriorities),
  );
}

/** Creates the SQS queues with exactly the attributes of their definitions, encrypted, and for requests over TLS only. */
export function createQueues(scope: Construct, options: CreateQueuesOptions): HoldfastSqsQueue[] {
  const { prefix, queues } = options;
  for (const { name, tenant = 'default', priorities: enabled } of queues) {
    for (const text of [name, tenant]) {
      const problem = isName(text);
      if (problem !== undefined)
        throw refusal(scope, `the name '${text}' ${problem}.`, 'Write another name.');
    }
    for (const priority of enabled ?? [])
      oneOf(scope, `a priority of the queue '${name}'`, priority, priorities);
    if (enabled?.length === 0)
      throw refusal(scope, `the queue '${name}' has no priority.`, 'Leave priorities out for normal alone.');
  }
  return sqsQueuesFor(prefix, queues).map((definition) => {
    const { queue, priority, name, deadName, attributes, deadAttributes } = definition;
    const dead = queueOf(scope, deadName, deadAttributes, options, undefined);
    const live = queueOf(scope, name, attributes, options, dead);
    return {
      ...{ queue: queue.queue, tenant: queue.tenant, priority, name, deadName },
      ...{ arn: live.queueArn, deadArn: dead.queueArn },
    };
  });
}

function queueOf(
  scope: Construct,
  queueName: string,
  attributes: Readonly<Record<string, string>>,
  { encryptionKey, removalPolicy }: CreateQueuesOptions,
  dead: sqs.Queue | undefined,
): sqs.Queue {
  const seconds = (name: string): Duration | undefined =>
    attributes[name] === undefined ? undefined : Duration.seconds(Number(attributes[name]));
  const visibilityTimeout = seconds('VisibilityTimeout');
  const retentionPeriod = seconds('MessageRetentionPeriod');
  const deadLetterQueue =
    dead === undefined
      ? undefined
      : { queue: dead, maxReceiveCount: JSON.parse(redrivePolicy(dead.queueArn)).maxReceiveCount as number };
  return new sqs.Queue(scope, queueName, {
    ...{ queueName, removalPolicy, enforceSSL: true },
    fifo: attributes.FifoQueue === 'true',
    contentBasedDeduplication: attributes.ContentBasedDeduplication === 'true',
    deduplicationScope: attributes.DeduplicationScope as sqs.DeduplicationScope,
    fifoThroughputLimit: attributes.FifoThroughputLimit as sqs.FifoThroughputLimit,
    ...(visibilityTimeout !== undefined && { visibilityTimeout }),
    ...(retentionPeriod !== undefined && { retentionPeriod }),
    ...(deadLetterQueue !== undefined && { deadLetterQueue }),
    encryption: encryptionKey === undefined ? sqs.QueueEncryption.SQS_MANAGED : sqs.QueueEncryption.KMS,
    ...(encryptionKey !== undefined && { encryptionMasterKey: encryptionKey }),
  });
}
