/** The IAM policies of docs/aws.md, held to its table, to what the engine can ask for, and to what `aws init` asks. */
import { globSync, readFileSync } from 'node:fs';
import { UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { GetQueueUrlCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { expect, onTestFinished, test } from 'vitest';
import { sqsQueuesOf, tableClient } from '../../src/engines/aws/index.ts';
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
const [running, operating] = policies;

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();

/** What a policy allows of a service. */
function allowed(policy: typeof running, service: 'dynamodb' | 'sqs'): string[] {
  const actions = policy?.Statement.flatMap(({ Action }) => Action) ?? [];
  return sorted(
    actions.filter((name) => name.startsWith(`${service}:`)).map((name) => name.split(':')[1] ?? ''),
  );
}

/** A row of the page's table. */
function row(name: string): { readonly dynamodb: string[]; readonly sqs: string[] } {
  const [, dynamodb = '', sqs = ''] =
    page
      .split('\n')
      .find((line) => line.startsWith(`| ${name} |`))
      ?.split(' | ') ?? [];
  const namesIn = (text: string): string[] => sorted(text.match(/\b[A-Z][a-z]+[A-Z]\w+|\bQuery\b/g) ?? []);
  return { dynamodb: namesIn(dynamodb), sqs: namesIn(sqs) };
}

test('servers and workers may do what the table says of them, no more', () => {
  const { dynamodb, sqs } = row('`serve`, `worker --engine aws`');
  expect(allowed(running, 'dynamodb')).toEqual(dynamodb);
  expect(allowed(running, 'sqs')).toEqual(sqs);
});

test('whoever runs aws init and dlq drain may do what the table says of the two, no more', () => {
  const [init, drain] = [row('`aws init`'), row('`dlq drain`')];
  expect(allowed(operating, 'dynamodb')).toEqual(sorted([...init.dynamodb, ...drain.dynamodb]));
  expect(allowed(operating, 'sqs')).toEqual(sorted([...init.sqs, ...drain.sqs]));
});

test('they name the table, its indexes, and every queue by the prefix', () => {
  expect(policies).toHaveLength(2);
  for (const { Version, Statement } of policies) {
    expect(Version).toBe('2012-10-17');
    expect(Statement.map(({ Effect }) => Effect)).toEqual(['Allow', 'Allow']);
    const table = 'arn:aws:dynamodb:eu-central-1:123456789012:table/jobs';
    expect(Statement[0]?.Resource).toEqual([table, `${table}/index/*`]);
    expect(Statement[1]?.Resource).toBe('arn:aws:sqs:eu-central-1:123456789012:jobs-*');
  }
  const queue = { tenant: 'acme', queue: 'mail' };
  for (const { name, deadName } of sqsQueuesOf('jobs', queue)) {
    for (const one of [name, deadName]) expect(one).toMatch(/^jobs-/);
  }
  const [long] = sqsQueuesOf('a.prefix-that-is-too-long', queue);
  expect(long?.name).toMatch(/^a_prefix-that-is-acme-/);
});

test('both together allow every command that the sources send, and nothing else', () => {
  const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => readFileSync(root + file, 'utf8'));
  const sent = sources.flatMap((text) =>
    [...text.matchAll(/\bnew (\w+)Command\(/g)].map(([, name = '']) => name),
  );
  // A transaction needs what its parts need; a batch of SQS what its messages do.
  const parts = sources
    .flatMap((text) => text.match(/\bConditionCheck\b/g) ?? [])
    .map((part) => `${part}Item`);
  const names = sent
    .filter((name) => name !== 'TransactWriteItems')
    .map((name) => name.replace(/Batch$/, ''));
  const all = policies.flatMap((policy) => [...allowed(policy, 'dynamodb'), ...allowed(policy, 'sqs')]);
  expect(sorted(all)).toEqual(sorted([...names, ...parts]));
});

test('aws init asks for all that its row has, and for nothing else', async () => {
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
  // By hand, past the front that keeps the calls of aws init.
  await queues.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '5' } }));
  const byHand = sqs.front.calls.pop();
  expect(byHand?.action).toBe('SetQueueAttributes');
  expect((await init('--list-shards', '6')).json.table.did).toBe('corrected');
  expect((await init()).json.queues).toMatchObject([{ queue: 'mail', did: 'unchanged' }]);

  const asked = row('`aws init`');
  expect(sorted(dynamo.calls.map(({ operation }) => operation))).toEqual(asked.dynamodb);
  expect(sorted(sqs.front.calls.map(({ action }) => action))).toEqual(asked.sqs);
});
