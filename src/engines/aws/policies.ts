/**
 * The AWS actions that each kind of process needs, and the statements of IAM that allow them. The policies in docs/aws.md
 * and the grants of holdfast/cdk are made of this file, and specs compare it with the commands that the sources send.
 *
 * In IAM a transaction needs the permissions of its parts, and an SQS batch that of a single message. GetItem is the
 * permission of TransactGetItems.
 */

/** The actions that a process uses, by the resource on which it uses them. They have no prefix of their service. */
export interface Permissions {
  /** Actions of DynamoDB on the table itself. */
  readonly table: readonly string[];
  /** Actions of DynamoDB on the indexes of the table. */
  readonly indexes: readonly string[];
  /** Actions of SQS on the queues of dispatch messages. */
  readonly queues: readonly string[];
  /** Actions of SQS on the dead-letter queues. */
  readonly deadQueues: readonly string[];
}

const reads = ['BatchGetItem', 'GetItem', 'Query'];
const creates = ['GetQueueUrl', 'CreateQueue', 'GetQueueAttributes', 'SetQueueAttributes'];

/** The permissions of each kind of process, by the commands of docs/aws.md or the grants of holdfast/cdk. */
export const permissions = {
  /** `serve` and `worker --engine aws`. */
  run: {
    table: [...reads, 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'],
    indexes: ['Query'],
    queues: ['GetQueueUrl', 'SendMessage', 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'],
    deadQueues: ['GetQueueUrl', 'SendMessage'],
  },
  /** A program that accepts tasks into the table and never takes one: it cannot receive a message. */
  submit: {
    table: [...reads, 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
    indexes: ['Query'],
    queues: ['GetQueueUrl', 'SendMessage'],
    deadQueues: [],
  },
  /** A program that only reads tasks. */
  read: { table: reads, indexes: ['Query'], queues: [], deadQueues: [] },
  /** `dlq drain`. */
  drain: {
    table: reads,
    indexes: ['Query'],
    queues: ['GetQueueUrl', 'SendMessage'],
    deadQueues: ['GetQueueUrl', 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'],
  },
  /** `queues redispatch`. */
  redispatch: {
    table: reads,
    indexes: ['Query'],
    queues: ['GetQueueUrl', 'GetQueueAttributes', 'SendMessage'],
    deadQueues: [],
  },
  /** `aws init`. */
  init: {
    table: [
      ...['BatchGetItem', 'Query', 'PutItem'],
      ...['CreateTable', 'DescribeTable', 'DescribeTimeToLive', 'UpdateTimeToLive'],
    ],
    indexes: [],
    queues: creates,
    deadQueues: creates,
  },
  /**
   * `aws init` where CloudFormation has made the table and the queues: it compares them and registers the queues. If one
   * of them differs from its definition, the command fails, since CloudFormation is to correct it.
   */
  register: {
    table: ['BatchGetItem', 'Query', 'PutItem', 'DescribeTable', 'DescribeTimeToLive'],
    indexes: [],
    queues: ['GetQueueUrl', 'GetQueueAttributes'],
    deadQueues: ['GetQueueUrl', 'GetQueueAttributes'],
  },
} as const satisfies Record<string, Permissions>;

export type PermissionName = keyof typeof permissions;

/** The ARNs of one installation's resources. */
export interface PolicyResources {
  readonly table: readonly string[];
  readonly indexes: readonly string[];
  readonly queues: readonly string[];
  readonly deadQueues: readonly string[];
}

/** One statement of an IAM policy, which allows actions on resources. */
export interface PolicyStatement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

const parts = [
  ['table', 'dynamodb'],
  ['indexes', 'dynamodb'],
  ['queues', 'sqs'],
  ['deadQueues', 'sqs'],
] as const;

/** Returns the statements that allow some permissions on the resources, one for each kind of resource. */
export function statementsOf(
  names: readonly PermissionName[],
  resources: PolicyResources,
): readonly PolicyStatement[] {
  const used = names.map((name): Permissions => permissions[name]);
  return parts.flatMap(([part, service]) => {
    const actions = [...new Set(used.flatMap((one) => one[part]))].map((action) => `${service}:${action}`);
    const Resource = resources[part];
    if (actions.length === 0 || Resource.length === 0) return [];
    return [{ Effect: 'Allow' as const, Action: actions, Resource }];
  });
}

/** The names of the installation that the policies in docs/aws.md are written for. */
export interface PolicyNames {
  readonly region: string;
  readonly account: string;
  readonly table: string;
  readonly prefix: string;
}

/**
 * Returns the statements for an installation whose queues are known by their prefix alone. The names of its dead-letter
 * queues have the same prefix, so one statement allows the actions on both kinds of queues.
 */
export function statementsByPrefix(
  names: readonly PermissionName[],
  { region, account, table, prefix }: PolicyNames,
): readonly PolicyStatement[] {
  const tableArn = `arn:aws:dynamodb:${region}:${account}:table/${table}`;
  const queueArn = `arn:aws:sqs:${region}:${account}:${prefix}__*`;
  const resources = { table: [tableArn], indexes: [`${tableArn}/index/*`] };
  const ofTable = statementsOf(names, { ...resources, queues: [], deadQueues: [] });
  const ofQueues = statementsOf(names, {
    ...{ table: [], indexes: [], queues: [queueArn], deadQueues: [queueArn] },
  });
  const actions = [...new Set(ofQueues.flatMap(({ Action }) => Action))];
  return [...ofTable, { Effect: 'Allow', Action: actions, Resource: [queueArn] }];
}
