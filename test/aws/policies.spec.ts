/**
 * Compares the permissions of src/engines/aws/policies.ts with the policies and the table in docs/aws.md, with the AWS
 * commands in the sources, and with the requests of `aws init`.
 */
import { globSync, readFileSync } from 'node:fs';
import { UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { GetQueueUrlCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { expect, onTestFinished, test } from 'vitest';
import { withPolicies } from '../../scripts/policies-docs.ts';
import { prefixFault, sqsQueuesOf, tableClient } from '../../src/engines/aws/index.ts';
import { type Permissions, permissions } from '../../src/engines/aws/policies.ts';
import { holdfast } from '../cli/command-server.ts';
import { clientOf, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { standInClient } from '../stand-ins/sqs-stand-in.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/aws.md`, 'utf8');

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
}

const policies = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(
  ([, text = '']) =>
    JSON.parse(text) as { readonly Version: string; readonly Statement: readonly Statement[] },
);

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();

/** Returns the actions of DynamoDB or SQS that an IAM policy allows. */
function allowed(policy: (typeof policies)[number], service: 'dynamodb' | 'sqs'): string[] {
  const actions = policy.Statement.flatMap(({ Action }) => Action);
  return sorted(
    actions.filter((name) => name.startsWith(`${service}:`)).map((name) => name.split(':')[1] ?? ''),
  );
}

/** Returns the AWS actions and the indexes in one row of the table in docs/aws.md. */
function row(name: string): Readonly<Record<'indexes' | 'dynamodb' | 'sqs', string[]>> {
  const [, dynamodb = '', sqs = ''] =
    page
      .split('\n')
      .find((line) => line.startsWith(`| ${name} |`))
      ?.split(' | ') ?? [];
  const namesIn = (text: string): string[] => sorted(text.match(/\b[A-Z][a-z]+[A-Z]\w+|\bQuery\b/g) ?? []);
  const indexes = sorted((dynamodb.match(/`\w+`/g) ?? []).map((name) => name.slice(1, -1)));
  return { indexes, dynamodb: namesIn(dynamodb), sqs: namesIn(sqs) };
}

test('the IAM policies in docs/aws.md are those of the source', () => {
  expect(withPolicies(page)).toBe(page);
});

test('each row of the table in docs/aws.md has the actions of its command in the source', () => {
  const rows = [
    ['`serve`', permissions.serve],
    ['`dlq drain`', permissions.drain],
    ['`queues redispatch`', permissions.redispatch],
    ['`aws init`', permissions.init],
  ] as const;
  for (const [name, { table, indexes, queues, deadQueues }] of rows) {
    expect(row(name), name).toEqual({
      indexes: sorted(indexes),
      dynamodb: sorted(table),
      sqs: sorted([...queues, ...deadQueues]),
    });
  }
});

test('a worker, and a program that only submits or reads, has no permission that a server lacks', () => {
  const { serve, work, submit, read, init, register } = permissions;
  const isWithin = (part: Permissions, whole: Permissions) =>
    (['table', 'indexes', 'queues', 'deadQueues'] as const).every((kind) =>
      part[kind].every((one) => (whole[kind] as readonly string[]).includes(one)),
    );
  expect(isWithin(work, serve)).toBe(true);
  expect(isWithin(submit, work)).toBe(true);
  expect(isWithin(read, serve)).toBe(true);
  expect(isWithin(register, init)).toBe(true);
  expect(submit.queues).not.toContain('ReceiveMessage');
});

test('the IAM policies name the table, its indexes and the SQS queues with the prefix', () => {
  expect(policies).toHaveLength(3);
  for (const { Version, Statement } of policies) {
    expect(Version).toBe('2012-10-17');
    expect(new Set(Statement.map(({ Effect }) => Effect))).toEqual(new Set(['Allow']));
    const table = 'arn:aws:dynamodb:eu-central-1:123456789012:table/jobs';
    const queues = 'arn:aws:sqs:eu-central-1:123456789012:jobs__*';
    const index = new RegExp(`^${table}/index/(list|due|exceptions)$`);
    const resources = Statement.map(({ Resource }) => [Resource].flat());
    expect([resources.at(0), resources.at(-1)]).toEqual([[table], [queues]]);
    for (const arn of resources.slice(1, -1).flat()) expect(arn).toMatch(index);
  }
});

test('the IAM policies for `jobs` reach the SQS queues of the installation `jobs`, and none of an installation with a similar prefix', () => {
  const reached = policies.map(({ Statement }) => String(Statement.at(-1)?.Resource).replace(/^.*:/, ''));
  const reaches = (name: string) =>
    reached.map((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
  const queue = { tenant: 'acme', queue: 'mail' };
  const all = ['high', 'normal', 'low'] as const;
  const namesOf = (prefix: string) =>
    sqsQueuesOf(prefix, queue, all).flatMap(({ name, deadName }) => [name, deadName]);
  for (const name of namesOf('jobs')) expect(reaches(name)).toEqual([true, true, true]);
  const others = ['jobs-2', 'jobs_2', 'jobs2', 'jobs-acme', 'job', 'my-jobs', 'Jobs'];
  for (const prefix of others) {
    expect(prefixFault(prefix)).toBeUndefined();
    for (const name of namesOf(prefix)) expect(reaches(name)).toEqual([false, false, false]);
  }
});

test('the IAM policies together allow exactly the AWS commands that the sources send', () => {
  const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => readFileSync(root + file, 'utf8'));
  const sent = sources.flatMap((text) =>
    [...text.matchAll(/\bnew (\w+)Command\(/g)].map(([, name = '']) => name),
  );
  // In an IAM policy, a transaction needs the permissions of its parts, and an SQS batch needs the permission for a
  // single message.
  const parts = sources
    .flatMap((text) => text.match(/\bConditionCheck\b/g) ?? [])
    .map((part) => `${part}Item`);
  const names = sent
    .filter((name) => name !== 'TransactWriteItems')
    .map((name) => name.replace(/^TransactGetItems$/, 'GetItem').replace(/Batch$/, ''));
  const all = policies.flatMap((policy) => [...allowed(policy, 'dynamodb'), ...allowed(policy, 'sqs')]);
  expect(sorted(all)).toEqual(sorted([...names, ...parts]));
});

test('a command outside of the files in which aws init creates is allowed to some process other than aws init', () => {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('/create.ts'));
  const sent = files.flatMap((file) =>
    [...readFileSync(root + file, 'utf8').matchAll(/\bnew (\w+)Command\(/g)].map(([, name = '']) => name),
  );
  expect(sent).toContain('Query');
  const names = sent
    .filter((name) => name !== 'TransactWriteItems')
    .map((name) => name.replace(/^TransactGetItems$/, 'GetItem').replace(/Batch$/, ''));
  const { init: _init, register: _register, ...others } = permissions;
  const all = Object.values(others).flatMap(({ table, queues, deadQueues }: Permissions) => [
    ...[...table, ...queues, ...deadQueues],
  ]);
  expect(sorted(names).filter((name) => !all.includes(name))).toEqual([]);
});

test('aws init sends exactly the requests in its row of the table in docs/aws.md', async () => {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const dynamo = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const [tables, queues] = [tableClient(clientOf(dynoxide.endpoint)), standInClient(sqs.endpoint)];
  onTestFinished(async () => {
    tables.destroy();
    queues.destroy();
    await dynamo.close();
    await Promise.all([dynoxide.stop(), sqs.stop()]);
  });
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
  const where = ['--table', 'jobs', '--region', 'eu-central-1'];
  const endpoints = ['--endpoint-dynamodb', dynamo.url, '--endpoint-sqs', sqs.endpoint];
  const init = (...argv: string[]) => holdfast('aws', 'init', ...where, ...endpoints, ...argv, '--json');

  const { json } = await init('--queue', 'mail');
  const off = { Enabled: false, AttributeName: 'x' };
  await tables.send(new UpdateTimeToLiveCommand({ TableName: 'jobs', TimeToLiveSpecification: off }));
  const [QueueName] = json.queues[0].sqs;
  const { QueueUrl } = await queues.send(new GetQueueUrlCommand({ QueueName }));
  // Changes the SQS queue without `aws init`. The recorded call of this change is removed again.
  await queues.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '5' } }));
  const byHand = sqs.front.calls.pop();
  expect(byHand?.action).toBe('SetQueueAttributes');
  expect((await init('--list-shards', '6')).json.table.did).toBe('corrected');
  expect((await init()).json.queues).toMatchObject([{ queue: 'mail', did: 'unchanged' }]);

  const expected = row('`aws init`');
  expect(sorted(dynamo.calls.map(({ operation }) => operation))).toEqual(expected.dynamodb);
  expect(sorted(sqs.front.calls.map(({ action }) => action))).toEqual(expected.sqs);
});
