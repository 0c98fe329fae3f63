/** Requests that IAM must deny, by role: what no process of Holdfast does, and what this role's processes do not do. */
import type { Names } from './replay.ts';

export interface Denied {
  readonly service: string;
  readonly operation: string;
  readonly input: object;
  /** The thing that the request reaches for. */
  readonly what: string;
}

/** Names of resources that are not those of the installation. */
export interface OtherNames {
  readonly table: string;
  readonly queueUrl: string;
  readonly deadQueueUrl: string;
}

const key = { pk: { S: 'a' }, sk: { S: 'b' } };
const query = {
  KeyConditionExpression: 'pk = :pk',
  ExpressionAttributeValues: { ':pk': { S: 'a' } },
};
const entry = { Id: 'a', MessageBody: '{}', MessageGroupId: 'a', MessageDeduplicationId: 'a' };

/** Returns what every role is denied. */
function always(names: Names, other: OtherNames): Denied[] {
  const { table, queue, queueUrl } = names;
  const QueueUrl = queueUrl(queue);
  const on = (what: string, service: string, operations: readonly (readonly [string, object])[]): Denied[] =>
    operations.map(([operation, input]) => ({ what, service, operation, input }));
  return [
    ...on('the table', 'DynamoDB', [
      ['DeleteTable', { TableName: table }],
      ['Scan', { TableName: table }],
      ['UpdateTable', { TableName: table, DeletionProtectionEnabled: false }],
      ['CreateBackup', { TableName: table, BackupName: 'copy' }],
      ['BatchWriteItem', { RequestItems: { [table]: [{ DeleteRequest: { Key: key } }] } }],
      [
        'UpdateContinuousBackups',
        {
          TableName: table,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false },
        },
      ],
    ]),
    ...on('another table', 'DynamoDB', [
      ['GetItem', { TableName: other.table, Key: key }],
      ['BatchGetItem', { RequestItems: { [other.table]: { Keys: [key] } } }],
      ['Query', { TableName: other.table, ...query }],
      ['Query', { TableName: other.table, IndexName: 'list', ...query }],
      ['Scan', { TableName: other.table }],
      ['PutItem', { TableName: other.table, Item: key }],
      ['UpdateItem', { TableName: other.table, Key: key }],
      ['DeleteItem', { TableName: other.table, Key: key }],
      ['DeleteTable', { TableName: other.table }],
      ['TransactWriteItems', { TransactItems: [{ Put: { TableName: other.table, Item: key } }] }],
      ['TransactGetItems', { TransactItems: [{ Get: { TableName: other.table, Key: key } }] }],
    ]),
    ...on('a transaction that also writes another table', 'DynamoDB', [
      [
        'TransactWriteItems',
        {
          TransactItems: [
            { Put: { TableName: table, Item: key } },
            { Delete: { TableName: other.table, Key: key } },
          ],
        },
      ],
    ]),
    ...on('a queue', 'SQS', [
      ['PurgeQueue', { QueueUrl }],
      ['DeleteQueue', { QueueUrl }],
      ['AddPermission', { QueueUrl, Label: 'a', AWSAccountIds: ['210987654321'], Actions: ['SendMessage'] }],
      ['ListQueues', {}],
    ]),
    ...[other.queueUrl, other.deadQueueUrl].flatMap((url) =>
      on("another installation's queue", 'SQS', [
        ['SendMessageBatch', { QueueUrl: url, Entries: [entry] }],
        ['ReceiveMessage', { QueueUrl: url }],
        ['DeleteMessageBatch', { QueueUrl: url, Entries: [{ Id: 'a', ReceiptHandle: 'a' }] }],
        ['GetQueueAttributes', { QueueUrl: url, AttributeNames: ['All'] }],
        ['SetQueueAttributes', { QueueUrl: url, Attributes: { VisibilityTimeout: '1' } }],
        ['PurgeQueue', { QueueUrl: url }],
      ]),
    ),
    ...on('IAM', 'IAM', [
      ['CreateRole', { RoleName: 'more', AssumeRolePolicyDocument: '{}' }],
      ['PutRolePolicy', { RoleName: 'more', PolicyName: 'more', PolicyDocument: '{}' }],
    ]),
    ...on('ECS', 'ECS', [
      ['UpdateService', { cluster: names.cluster, service: 'service', desiredCount: 0 }],
      ['StopTask', { cluster: names.cluster, task: 'task' }],
      ['UpdateTaskProtection', { cluster: 'another', tasks: ['task'], protectionEnabled: true }],
    ]),
    ...on('a parameter', 'SSM', [
      ['PutParameter', { Name: '/holdfast/prod/image-tag', Value: 'x', Overwrite: true }],
    ]),
    ...on('a stack', 'CloudFormation', [['DeleteStack', { StackName: 'holdfast-prod-data' }]]),
  ];
}

/** The recorded kinds of calls that belong to another role, as operations on the installation itself. */
function ofOthers(names: Names): Readonly<Record<string, Denied>> {
  const { table, queue, deadQueue, queueUrl, cluster } = names;
  const one = (what: string, service: string, operation: string, input: object): Denied => ({
    ...{ what, service, operation, input },
  });
  const QueueUrl = queueUrl(queue);
  const dead = queueUrl(deadQueue);
  const index = (name: string) =>
    one(`the index ${name}`, 'DynamoDB', 'Query', { TableName: table, IndexName: name, ...query });
  return {
    write: one('the table', 'DynamoDB', 'PutItem', { TableName: table, Item: key }),
    update: one('the table', 'DynamoDB', 'UpdateItem', { TableName: table, Key: key }),
    delete: one('the table', 'DynamoDB', 'DeleteItem', { TableName: table, Key: key }),
    read: one('the table', 'DynamoDB', 'GetItem', { TableName: table, Key: key }),
    create: one('the table', 'DynamoDB', 'CreateTable', {
      TableName: table,
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
    ttl: one('the table', 'DynamoDB', 'UpdateTimeToLive', {
      TableName: table,
      TimeToLiveSpecification: { Enabled: false, AttributeName: 'x' },
    }),
    list: index('list'),
    due: index('due'),
    exceptions: index('exceptions'),
    send: one('a queue', 'SQS', 'SendMessageBatch', { QueueUrl, Entries: [entry] }),
    receive: one('a queue', 'SQS', 'ReceiveMessage', { QueueUrl }),
    createQueue: one('a queue', 'SQS', 'CreateQueue', { QueueName: queue }),
    setQueue: one('a queue', 'SQS', 'SetQueueAttributes', {
      QueueUrl,
      Attributes: { VisibilityTimeout: '1' },
    }),
    sendDead: one('a dead-letter queue', 'SQS', 'SendMessageBatch', { QueueUrl: dead, Entries: [entry] }),
    receiveDead: one('a dead-letter queue', 'SQS', 'ReceiveMessage', { QueueUrl: dead }),
    receiveUnserved: one('a queue that the worker does not serve', 'SQS', 'ReceiveMessage', {
      QueueUrl: queueUrl(names.unservedQueue),
    }),
    protect: one('a task', 'ECS', 'UpdateTaskProtection', {
      ...{ cluster, tasks: ['task'], protectionEnabled: true },
    }),
  };
}

const everything = [
  'write',
  'update',
  'delete',
  'read',
  'create',
  'ttl',
  'list',
  'due',
  'exceptions',
] as const;
const queues = ['send', 'receive', 'createQueue', 'setQueue', 'sendDead', 'receiveDead'] as const;
const making = ['create', 'ttl', 'createQueue', 'setQueue'] as const;

/** The requests that a role is denied beside those that every role is. */
const byRole: Readonly<Record<string, readonly string[]>> = {
  server: [...making, 'receiveDead', 'protect'],
  worker: [...making, 'list', 'due', 'exceptions', 'receiveDead', 'receiveUnserved'],
  canary: [...everything, ...queues, 'protect'],
  'worker over gRPC': [...everything, ...queues],
  submitter: [
    ...making,
    'delete',
    'list',
    'due',
    'exceptions',
    'receive',
    'sendDead',
    'receiveDead',
    'protect',
  ],
  reader: [...making, 'write', 'update', 'delete', 'due', ...queues, 'protect'],
  operator: [...making, 'write', 'update', 'delete', 'due', 'exceptions', 'receive', 'sendDead', 'protect'],
  'server by docs/aws.md': [...making, 'protect'],
  'worker by docs/aws.md': [...making, 'list', 'due', 'exceptions', 'protect'],
  'operator by docs/aws.md': ['update', 'delete', 'due', 'exceptions', 'protect'],
};

/** Returns the requests that IAM must deny to a role. */
export function mustDeny(role: string, names: Names, other: OtherNames): Denied[] {
  const others = ofOthers(names);
  const own = [...new Set(byRole[role])].map((name) => others[name] as Denied);
  return [...always(names, other), ...own];
}
