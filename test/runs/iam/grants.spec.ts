import { expect, it } from 'vitest';
import { type CloudTemplate, knownParts } from '../../stand-ins/cdk-stacks.ts';
import { forMinistack, type PolicyDocument } from '../../stand-ins/roles.ts';
import type { RecordedCall } from './calls.ts';
import { faultsOf, grantsIn, unusedGrants } from './grants.ts';

const table = 'arn:aws:dynamodb:eu-central-1:123456789012:table/jobs';
const queue = 'arn:aws:sqs:eu-central-1:123456789012:jobs__mail-normal.fifo';
const policy = (Action: string | string[], Resource: string | string[]): PolicyDocument => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource }],
});
const call = (service: string, operation: string, input: object): RecordedCall => ({
  ...{ caller: 'server', service, operation, input: { ...input } },
});

it('a grant is unused until a call has used its action on a resource of its kind', () => {
  const documents = [
    policy(['dynamodb:Query', 'dynamodb:PutItem'], table),
    policy('dynamodb:Query', [`${table}/index/list`, `${table}/index/due`]),
    policy('sqs:SendMessage', [queue, queue.replace('.fifo', '-dead.fifo')]),
    policy('sqs:ReceiveMessage', 'arn:aws:sqs:eu-central-1:123456789012:jobs__*'),
    policy('s3:GetObject', 'arn:aws:s3:::bucket/*'),
  ];
  const grants = grantsIn(documents);
  const calls = [
    call('DynamoDB', 'TransactWriteItems', { TransactItems: [{ Put: { TableName: 'a' } }] }),
    call('DynamoDB', 'Query', { TableName: 'a', IndexName: 'list' }),
    call('SQS', 'SendMessageBatch', { QueueUrl: 'http://x/1/a__b-normal.fifo' }),
    call('SQS', 'ReceiveMessage', { QueueUrl: 'http://x/1/a__b-normal-dead.fifo' }),
  ];
  expect(unusedGrants(grants, calls)).toEqual([
    'dynamodb:Query on table',
    'dynamodb:Query on index/due',
    'sqs:SendMessage on deadQueue',
    's3:GetObject on arn:aws:s3:::bucket/*',
  ]);
});

it('an unknown action, a wildcard action and a wildcard resource that AWS does not need are faults', async () => {
  const faults = async (action: string, arn: string) => faultsOf(grantsIn([policy(action, arn)]));
  expect(await faults('sqs:SendMessageBatch', queue)).toEqual(['AWS has no action sqs:SendMessageBatch']);
  expect(await faults('sqs:*', queue)).toEqual(['sqs:* is a wildcard']);
  expect(await faults('dynamodb:Query', `${table}/index/*`)).toHaveLength(1);
  expect(await faults('sqs:SendMessage', '*')).toHaveLength(1);
  expect(await faults('ecr:GetAuthorizationToken', '*')).toEqual([]);
  const task = 'arn:aws:ecs:eu-central-1:123456789012:task';
  expect(await faults('ecs:UpdateTaskProtection', `${task}/cluster/*`)).toEqual([]);
  expect(await faults('ecs:UpdateTaskProtection', `${task}/*`)).toHaveLength(1);
});

it('the copy of a policy for ministack has more actions of SQS and the cluster of a task, and nothing else', () => {
  const task = 'arn:aws:ecs:eu-central-1:123456789012:task/cluster/*';
  const { Statement } = policy('dynamodb:Query', table);
  const mixed: PolicyDocument = {
    ...{ Version: '2012-10-17' },
    Statement: [
      ...Statement,
      ...policy(['sqs:GetQueueUrl', 'sqs:SendMessage'], queue).Statement,
      ...policy('ecs:UpdateTaskProtection', task).Statement,
    ],
  };
  expect(forMinistack(mixed).Statement.map(({ Action, Resource }) => [Action, Resource])).toEqual([
    [['dynamodb:Query'], [table]],
    [['sqs:GetQueueUrl', 'sqs:SendMessage', 'sqs:SendMessageBatch'], [queue]],
    [['ecs:UpdateTaskProtection'], [task, task.replace('task/cluster/*', 'cluster/cluster')]],
  ]);
});

it('a template for ministack lacks the resources that it does not know, and what refers to them gets their ids', () => {
  const template: CloudTemplate = {
    Resources: {
      Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.0.0.0/16' } },
      Trust: { Type: 'AWS::ElasticLoadBalancingV2::TrustStore' },
      One: { Type: 'AWS::CloudWatch::Alarm', Properties: { MetricName: 'a' } },
      Two: { Type: 'AWS::CloudWatch::Alarm', Properties: { Metrics: [] } },
      Listener: {
        Type: 'AWS::ElasticLoadBalancingV2::Listener',
        DependsOn: ['Trust', 'Vpc'],
        Properties: {
          Arn: { Ref: 'Trust' },
          From: { 'Fn::GetAtt': ['Vpc', 'CidrBlock'] },
          Vpc: { Ref: 'Vpc' },
        },
      },
    },
  };
  const { Resources } = knownParts(template);
  expect(Object.keys(Resources)).toEqual(['Vpc', 'One', 'Listener']);
  expect(Resources.Listener).toMatchObject({
    DependsOn: ['Vpc'],
    Properties: { Arn: 'Trust', From: '10.0.0.0/16', Vpc: { Ref: 'Vpc' } },
  });
});
