import { expect, it } from 'vitest';
import { callerOf } from './attribution.ts';
import { actionsOf } from './calls.ts';

const engine = '    at SqsCalls.send (/repo/src/engines/aws/broker/sqs/calls.ts:137:31)';
const ofTest = '    at /repo/test/aws/damaged.spec.ts:12:3';
const stackOf = (...lines: readonly string[]): string => ['Error', ...lines].join('\n');
const vitest = ['node', '/repo/node_modules/vitest/dist/workers/forks.js'];

it('a call of a process of the command belongs to its verb', () => {
  const of = (...words: readonly string[]) =>
    callerOf({ argv: ['node', '/repo/src/cli/main.ts', ...words], verb: undefined, stack: '' });
  expect(of('serve', '--engine', 'aws')).toBe('server');
  expect(of('worker', 'worker.ts', '--json')).toBe('worker');
  expect(of('--json', 'aws', 'init', '--table', 'serve')).toBe('init');
  expect(of('dlq', 'drain')).toBe('drain');
  expect(of('queues', 'redispatch', 'mail')).toBe('redispatch');
  expect(of('submit', 'mail', 'worker')).toBeUndefined();
});

it('a call in a test belongs to the verb that runs there, else to a server, and not at all if the test makes it', () => {
  const of = (stack: string, verb?: readonly string[]) => callerOf({ argv: vitest, verb, stack });
  expect(of(stackOf(engine, ofTest))).toBe('server');
  expect(of(stackOf(engine, ofTest), ['dlq', 'drain', '--json'])).toBe('drain');
  expect(of(stackOf(engine), ['list'])).toBeUndefined();
  expect(of(stackOf(ofTest, engine))).toBeUndefined();
  expect(of(stackOf('    at send (/repo/node_modules/x/src/index.js:1:1)', ofTest))).toBeUndefined();
  const creates = '    at async createTable (/repo/src/engines/aws/table/create.ts:45:3)';
  expect(of(stackOf(engine, creates, ofTest))).toBe('init');
});

it('IAM checks a transaction by its parts, a batch of SQS as a single message, and an index by its name', () => {
  const TableName = 'jobs';
  const check = { ConditionCheck: { TableName }, Delete: undefined };
  const parts = [{ Put: { TableName } }, check, { Put: { TableName } }];
  expect(actionsOf('DynamoDB', 'TransactWriteItems', { TransactItems: parts })).toEqual([
    { action: 'dynamodb:PutItem', resource: 'table' },
    { action: 'dynamodb:ConditionCheckItem', resource: 'table' },
  ]);
  expect(actionsOf('DynamoDB', 'Query', { TableName, IndexName: 'due' })).toEqual([
    { action: 'dynamodb:Query', resource: 'index/due' },
  ]);
  expect(actionsOf('SQS', 'SendMessageBatch', { QueueUrl: 'http://q/1/jobs__a-normal-dead.fifo' })).toEqual([
    { action: 'sqs:SendMessage', resource: 'deadQueue' },
  ]);
  expect(actionsOf('SQS', 'GetQueueUrl', { QueueName: 'jobs__a-normal.fifo' })).toEqual([
    { action: 'sqs:GetQueueUrl', resource: 'queue' },
  ]);
});
