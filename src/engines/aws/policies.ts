/**
 * The AWS actions that each kind of process needs, and the statements of IAM that allow them. The policies in docs/aws.md
 * and the grants of holdfast/cdk are made of this file, and specs compare it with the commands that the sources send.
 *
 * In IAM a transaction needs the permissions of its parts, and an SQS batch that of a single message. GetItem is the
 * permission of TransactGetItems.
 */

import type { IndexName } from './table/schema/definition.ts';

/** The actions that a process uses, by the resource on which it uses them. They have no prefix of their service. */
export interface Permissions {
  /** Actions of DynamoDB on the table itself. */
  readonly table: readonly string[];
  /** The indexes of the table that are read, which is the action Query. */
  readonly indexes: readonly IndexName[];
  /** Actions of SQS on the queues of dispatch messages. */
  readonly queues: readonly string[];
  /** Actions of SQS on the dead-letter queues. */
  readonly deadQueues: readonly string[];
}

const reads = ['BatchGetItem', 'GetItem', 'Query'];
const writes = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'];
const creates = ['GetQueueUrl', 'CreateQueue', 'GetQueueAttributes', 'SetQueueAttributes'];
const dispatches = [
  'GetQueueUrl',
  'SendMessage',
  'ReceiveMessage',
  'DeleteMessage',
  'ChangeMessageVisibility',
];
/** A notice of a task that has died is sent to its dead-letter queue. */
const notices = ['GetQueueUrl', 'SendMessage'];

/** The permissions of each kind of process, by the commands of docs/aws.md or the grants of holdfast/cdk. */
export const permissions = {
  /** `serve`. */
  serve: {
    table: [...reads, ...writes],
    indexes: ['list', 'due', 'exceptions'],
    queues: dispatches,
    deadQueues: notices,
  },
  /** `worker --engine aws`: lists, and tasks whose time has come, are left to the servers. */
  work: { table: [...reads, ...writes], indexes: [], queues: dispatches, deadQueues: notices },
  /** A program that accepts tasks into the table and never takes one: it cannot receive a message. */
  submit: {
    table: [...reads, 'PutItem', 'UpdateItem', 'ConditionCheckItem'],
    indexes: [],
    queues: ['GetQueueUrl', 'SendMessage'],
    deadQueues: [],
  },
  /** A program that only reads tasks. */
  read: { table: reads, indexes: ['list', 'exceptions'], queues: [], deadQueues: [] },
  /** `dlq drain`. */
  drain: {
    table: reads,
    indexes: [],
    queues: ['GetQueueUrl', 'SendMessage'],
    deadQueues: ['GetQueueUrl', 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'],
  },
  /** `queues redispatch`. */
  redispatch: {
    table: reads,
    indexes: ['list'],
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
  readonly table: string;
  readonly queues: readonly string[];
  readonly deadQueues: readonly string[];
}

/** One statement of an IAM policy, which allows actions on resources. */
export interface PolicyStatement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

/** Returns the ARNs of some indexes of a table. */
export function indexArns(table: string, names: readonly IndexName[]): string[] {
  return names.map((name) => `${table}/index/${name}`);
}

/** Returns the statements that allow some permissions on the resources, one for each kind of resource. */
export function statementsOf(
  names: readonly PermissionName[],
  { table, queues, deadQueues }: PolicyResources,
): readonly PolicyStatement[] {
  const used = names.map((name): Permissions => permissions[name]);
  const all = (part: 'table' | 'queues' | 'deadQueues') => used.flatMap((one) => one[part]);
  const indexes = new Set(used.flatMap((one) => one.indexes));
  return [
    ...allow('dynamodb', all('table'), [table]),
    ...allow('dynamodb', ['Query'], indexArns(table, [...indexes])),
    ...allow('sqs', all('queues'), queues),
    ...allow('sqs', all('deadQueues'), deadQueues),
  ];
}

/** Returns the statement that allows the actions; none if there is no action or no resource. */
function allow(
  service: string,
  actions: readonly string[],
  Resource: readonly string[],
): readonly PolicyStatement[] {
  if (actions.length === 0 || Resource.length === 0) return [];
  return [{ Effect: 'Allow', Action: [...new Set(actions)].map((name) => `${service}:${name}`), Resource }];
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
  const used = names.map((name): Permissions => permissions[name]);
  const tableArn = `arn:aws:dynamodb:${region}:${account}:table/${table}`;
  const queueArn = `arn:aws:sqs:${region}:${account}:${prefix}__*`;
  const actions = used.flatMap(({ queues, deadQueues }) => [...queues, ...deadQueues]);
  return [
    ...statementsOf(names, { table: tableArn, queues: [], deadQueues: [] }),
    ...allow('sqs', actions, [queueArn]),
  ];
}
