import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  createQueues,
  openTable,
  raiseTableSchema,
  readTableSchema,
  sqsClient,
  sqsQueuesOf,
  tableClient,
} from '../../src/engines/aws/index.ts';
import { createTable } from '../../src/engines/aws/table/create.ts';
import { openWorkerNode } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { item } from '../fixtures/api-node.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { holdfast, start } from './command-server.ts';

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let tables = 0;
let table: string;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});
beforeEach(() => {
  table = `cli-${++tables}`;
});

function init(...argv: readonly string[]) {
  const endpoints = ['--endpoint-dynamodb', dynoxide.endpoint, '--endpoint-sqs', sqs.endpoint];
  return holdfast('aws', 'init', '--table', table, '--region', 'eu-central-1', ...endpoints, ...argv);
}

test('aws init creates a table and its queues; a second run changes nothing', async () => {
  const first = await init('--queue', 'mail', '--queue', 'webhooks', '--priorities', 'normal,high');
  expect(first.code).toBe(0);
  expect(first.out).toMatch(
    new RegExp(
      `^table ${table} \\(shards: list 4, due 8\\): created\nqueue mail \\(high, normal\\): created\n {2}${table}__default-mail-.*-high.fifo\n`,
    ),
  );
  const again = await init('--queue', 'mail,webhooks', '--json');
  expect(again.json).toMatchObject({
    table: { did: 'unchanged', differs: [], shards: { list: 4, due: 8, written: { list: 4, due: 8 } } },
    queues: [
      { queue: 'mail', priorities: ['high', 'normal'], did: 'unchanged', differs: [] },
      { queue: 'webhooks', did: 'unchanged' },
    ],
  });
});

test('aws init without a queue creates the table, and notes that tasks need a queue', async () => {
  const made = await init();
  expect(made).toMatchObject({ code: 0, out: `table ${table} (shards: list 4, due 8): created\n` });
  expect(made.err).toBe('No queue was created, since none was named. Tasks need a queue: --queue <name>.\n');
  expect((await init()).err).toBe('');
});

test('aws init prepares a queue only once if it is named twice', async () => {
  const { json } = await init('--queue', 'mail', '--queue', 'webhooks, mail', '--json');
  expect(json.queues.map(({ queue }: { queue: string }) => queue)).toEqual(['mail', 'webhooks']);
});

test('aws init adds priorities to a queue and removes none', async () => {
  await init('--queue', 'mail', '--priorities', 'normal');
  const added = await init('--queue', 'mail', '--priorities', 'low', '--json');
  expect(added.json.queues).toMatchObject([{ did: 'corrected', priorities: ['normal', 'low'] }]);
  const [, low] = added.json.queues[0].sqs;
  expect(added.json.queues[0].differs).toEqual([
    'its priorities were normal',
    `${low.replace('.fifo', '-dead.fifo')} was missing, and was made`,
    `${low} was missing, and was made`,
  ]);
});

test('aws init corrects a changed attribute of an SQS queue, and prints the wrong value', async () => {
  const { json } = await init('--queue', 'mail', '--json');
  const client = sqsClient({ ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false });
  const { GetQueueUrlCommand, SetQueueAttributesCommand } = await import('@aws-sdk/client-sqs');
  const [QueueName] = json.queues[0].sqs;
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName }));
  await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '5' } }));
  client.destroy();
  const found = await init('--queue', 'mail', '--check');
  expect(found).toMatchObject({ code: 4, err: expect.stringContaining('VisibilityTimeout is 5, not 32') });
  expect((await init('--queue', 'mail')).out).toContain(
    `queue mail (normal): corrected\n  ${QueueName}: VisibilityTimeout was 5, not 32`,
  );
  expect((await init('--queue', 'mail', '--check')).code).toBe(0);
});

test('aws init --check creates nothing, prints what is missing, and ends with status 4', async () => {
  for (let i = 0; i < 2; i++) {
    const { code, json } = await init('--queue', 'mail', '--check', '--json');
    expect(code).toBe(4);
    expect(json.error.message).toContain(`table ${table}: missing\nqueue mail (normal): missing\n`);
    expect(json.error.violations.slice(0, 2)).toEqual([
      { field: `table ${table}`, description: 'it is missing' },
      { field: 'queue mail', description: 'it is not registered' },
    ]);
  }
});

test('aws init without --queue compares and corrects the registered queues', async () => {
  await init('--queue', 'mail,webhooks', '--priorities', 'normal,high');
  await init('--queue', 'other', '--tenant', 'acme');
  const whole = await init('--check', '--json');
  expect(whole).toMatchObject({ code: 0, json: { queues: [{ queue: 'mail' }, { queue: 'webhooks' }] } });
  const [lost] = whole.json.queues[1].sqs;
  const client = sqsClient({ ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false });
  const { DeleteQueueCommand, GetQueueUrlCommand } = await import('@aws-sdk/client-sqs');
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: lost }));
  await client.send(new DeleteQueueCommand({ QueueUrl }));
  client.destroy();
  const checked = await init('--check');
  expect(checked).toMatchObject({ code: 4, err: expect.stringContaining(`  ${lost} is missing\n`) });
  const { code, json } = await init('--json');
  expect(code).toBe(0);
  expect(json.queues).toMatchObject([
    { queue: 'mail', did: 'unchanged' },
    { queue: 'webhooks', did: 'corrected', priorities: ['high', 'normal'] },
  ]);
  expect((await init('--check')).code).toBe(0);
});

test('aws init creates a table with the requested numbers of shards', async () => {
  const { code, json } = await init('--list-shards', '64', '--due-shards', '16', '--json');
  expect(code).toBe(0);
  expect(json.table).toMatchObject({ did: 'created', shards: { list: 64, due: 16 } });
  expect((await init('--list-shards', '64', '--check')).code).toBe(0);
});

test('aws init adds shards, and refuses fewer shards before it creates anything', async () => {
  await init('--due-shards', '12');
  const shards = ['--list-shards', '6', '--due-shards', '12'];
  const checked = await init(...shards, '--check');
  expect(checked).toMatchObject({
    code: 4,
    err: expect.stringContaining("its index 'list' has 4 shards, not 6"),
  });
  const grown = await init(...shards);
  expect(grown).toMatchObject({ code: 0, err: '' });
  expect(grown.out).toBe(
    `table ${table} (shards: list 6, due 12; writers keep to list 4, due 8 until every process knows): corrected\n` +
      "  its index 'list' had 4 shards, not 6\n",
  );
  expect((await init(...shards, '--json')).json.table).toMatchObject({
    did: 'unchanged',
    shards: { list: 6, due: 12, written: { list: 4, due: 8 } },
  });
  const fewer = await init('--list-shards', '5', '--queue', 'mail', '--json');
  expect(fewer.code).toBe(2);
  expect(fewer.json.error).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'BAD_CONFIGURATION',
    message: 'The list index has 6 shards, and 5 were requested: their number only grows.',
  });
  expect((await init('--queue', 'mail', '--check')).err).toContain('queue mail (normal): missing');
});

test.each([
  ['with other keys', ['id'], "its keys are not pk, sk\n  it has no index 'list'"],
  ['without the indexes of Holdfast', ['pk', 'sk'], "it has no index 'list'\n  it has no index 'due'"],
])(
  'aws init leaves a table %s as it is, prints what differs, and ends with status 4; a server does not start on it',
  async (_, keys, differences) => {
    const client = tableClient({ ...clientOf(dynoxide.endpoint) });
    const { CreateTableCommand, DescribeTimeToLiveCommand, ScanCommand } = await import(
      '@aws-sdk/client-dynamodb'
    );
    const { ListQueuesCommand } = await import('@aws-sdk/client-sqs');
    const queues = sqsClient({ ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false });
    onTestFinished(() => {
      client.destroy();
      queues.destroy();
    });
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: keys.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' })),
        AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      }),
    );
    for (const argv of [[], ['--queue', 'mail'], ['--queue', 'mail', '--check'], ['--list-shards', '8']]) {
      const { code, err } = await init(...argv);
      expect(code).toBe(4);
      expect(err).toContain(differences);
      expect(err).toContain('Name another table, or add what is missing by hand.');
    }
    const serving = await holdfast(
      ...['serve', '--engine', 'aws', '--plaintext', '--table', table, '--region', 'eu-central-1', '--json'],
      ...['--endpoint-dynamodb', dynoxide.endpoint, '--endpoint-sqs', sqs.endpoint],
    );
    expect(serving).toMatchObject({ code: 2, json: { error: { reason: 'BAD_CONFIGURATION' } } });
    expect(serving.json.error.message).toContain(`table '${table}' has other keys or indexes than`);
    expect(serving.json.error.help).toContain(`aws init --table ${table} --check`);
    const ttl = await client.send(new DescribeTimeToLiveCommand({ TableName: table }));
    expect(ttl.TimeToLiveDescription?.TimeToLiveStatus).toBe('DISABLED');
    expect((await client.send(new ScanCommand({ TableName: table }))).Items).toEqual([]);
    expect((await queues.send(new ListQueuesCommand({ QueueNamePrefix: table }))).QueueUrls ?? []).toEqual(
      [],
    );
  },
);

test.each([
  [['--table', 'jobs__eu'], "'jobs__eu': it contains __"],
  [['--table', 'jobs.eu'], "'jobs.eu': it has characters other than letters, digits, _ and -"],
  [['--table', 'a-table-with-a-rather-long-name'], 'it has 31 characters, more than 24'],
  [['--table', 'jobs-eu', '--queue-prefix', 'jobs_'], "'jobs_': it ends in _"],
])('aws init refuses the prefix of %j, names --queue-prefix and creates nothing', async (argv, why) => {
  const refused = await init(...argv, '--queue', 'mail');
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(why) });
  expect(refused.err).toContain('Give --queue-prefix');
  expect((await init(...argv, '--queue-prefix', 'fine', '--check')).err).toContain(': missing');
  expect((await init(...argv, '--queue-prefix', 'fine', '--queue', 'mail')).out).toContain(
    'fine__default-mail-',
  );
});

test('an installation of version 0.1.0 keeps the names of its SQS queues, also those of new queues, and works on', async () => {
  const client = clientOf(dynoxide.endpoint);
  const parts = openTable({ table, clock: systemClock(), client });
  await createTable(parts.client, table, systemClock());
  const mail = { tenant: 'default', queue: 'mail' };
  await parts.registry.put(
    'queue',
    'default/mail',
    { paused: false, onDead: 'release', priorities: ['normal'] },
    'absent',
  );
  await parts.close();
  const queues = sqsClient({ ...client, endpoint: sqs.endpoint, useQueueUrlAsEndpoint: false });
  const [old] = sqsQueuesOf(table, mail, ['normal'], 1);
  if (old === undefined) expect.fail();
  await createQueues(queues, [old]);
  queues.destroy();
  const again = await init('--queue', 'mail,late', '--json');
  expect(again.json.queues).toMatchObject([
    { queue: 'mail', did: 'unchanged', sqs: [`${old.name}`] },
    { queue: 'late', did: 'created', sqs: [expect.stringMatching(new RegExp(`^${table}-default-late-`))] },
  ]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  const options = { clock: systemClock(), log: silentLog };
  const { node } = await openWorkerNode({ table, region: 'eu-central-1', ...endpoints }, options);
  for (const queue of ['mail', 'late']) {
    const ref = { tenant: 'default', queue };
    const [accepted] = await node.service.submit(ref, [item(queue)], { notAfterMs: undefined });
    const worker = { tenant: 'default', workerName: 'w', workerId: 'i', requestId: '', queues: [queue] };
    const types = [{ type: 'note', maxVersion: 1 }];
    const { signal } = new AbortController();
    const claimed = await node.service.claim({ ...worker, types, maxTasks: 1, waitMs: 10_000, signal });
    expect(claimed.map(({ id }) => id)).toEqual([accepted?.error === undefined ? accepted?.id : '']);
  }
  await node.close(0);
});

test('aws init corrects a table whose expired items are not deleted', async () => {
  const client = tableClient({ ...clientOf(dynoxide.endpoint) });
  const { UpdateTimeToLiveCommand } = await import('@aws-sdk/client-dynamodb');
  await createTable(client, table, systemClock());
  const off = { Enabled: false, AttributeName: 'x' };
  await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification: off }));
  client.destroy();
  expect((await init()).out).toContain(
    `table ${table} (shards: list 4, due 8): corrected\n  its time to live was not on the attribute 'x'`,
  );
  expect((await init()).out).toContain(`table ${table} (shards: list 4, due 8): unchanged`);
});

test.each([
  [['aws', 'init'], 'The engine aws needs --table.'],
  [['dlq', 'drain'], 'The engine aws needs --table.'],
  [['aws', 'init', '--table', 'abc', '--queue', 'a b'], "'--queue <name>' argument 'a b' is invalid"],
  [['aws', 'init', '--table', 'abc', '--queue', 'a,'], "'--queue <name>' argument 'a,' is invalid"],
  [
    ['aws', 'init', '--queue', 'mail', 'webhooks', '--check', 'jobs'],
    "No option takes 'webhooks', 'jobs': each --queue takes one word.\n  Name each queue: --queue mail --queue webhooks --queue jobs.",
  ],
  [['aws', 'init', 'mail', 'a b'], "No option takes 'mail', 'a b': each --queue takes one word.\n  Quote"],
  [
    ['aws', 'init', '--queue', 'mail', '--priorities', 'normal', 'high'],
    "No option takes 'high': --priorities takes one word.\n  Write --priorities high,normal.",
  ],
  [['aws', 'init', '--table', 'j'], "'j' is not a name of a table.\n  Write 3 to 255 letters"],
  [['aws', 'init', '--table', 'jo bs'], "'jo bs' is not a name of a table."],
  [['serve', '--engine', 'aws', '--table', 'jo/bs', '--plaintext'], "'jo/bs' is not a name of a table."],
  [['worker', 'w.ts', '--engine', 'aws', '--table', 'a'.repeat(256)], 'is not a name of a table.'],
  [['dlq', 'drain', '--table', 'j'], "'j' is not a name of a table."],
  [
    ['aws', 'init', '--table', 'abc', '--queue-prefix', 'a b'],
    "Names of SQS queues cannot begin with 'a b'.\n  Write 1 to 24 letters, digits, - or single _",
  ],
  [
    ['worker', 'w.ts', '--engine', 'aws', '--table', 'abc', '--queue-prefix', 'a.b'],
    "Names of SQS queues cannot begin with 'a.b'.",
  ],
  [['aws', 'init', '--table', 'abc', '--priorities', 'urgent'], "'urgent' is invalid. Write one or more of"],
  [
    ['aws', 'init', '--table', 'abc', '--priorities', 'high'],
    '--priorities needs the names of its queues.\n  Add --queue <name>.',
  ],
  [['aws', 'init', '--table', 'abc', '--list-shards', '3'], 'Write a whole number from 4 to 64.'],
  [['aws', 'init', '--table', 'abc', '--due-shards', '65'], 'Write a whole number from 8 to 64.'],
  [['aws', 'init', '--table', 'abc', '--endpoint-sqs', 'here'], "'here' is not a URL."],
  [['serve', '--table', 'abc', '--plaintext'], '--table is for the engine aws.'],
  [['serve', '--engine', 'aws', '--plaintext'], 'The engine aws needs --table.'],
  [['serve', '--engine', 'aws', '--table', 'abc', '--store', 'memory:'], '--store is for the engine sqlite.'],
  [['worker', 'w.ts', '--endpoint-sqs', 'http://127.0.0.1:1'], '--endpoint-sqs is for the engine aws.'],
  [
    ['worker', 'w.ts', '--engine', 'aws', '--table', 'abc', '--url', 'holdfast://a:1'],
    '--url names a server, and --engine aws needs none.',
  ],
])('the command line %j is refused as a usage error', async (argv, message) => {
  const { code, err } = await holdfast(...argv);
  expect(code).toBe(2);
  expect(err).toContain(message);
});

const unreachable = 'http://127.0.0.1:1';
const onTable = ['--table', 'abc', '--region', 'eu-central-1', '--endpoint-dynamodb'];

test.each([
  ['aws', 'init'],
  ['dlq', 'drain'],
  ['serve', '--engine', 'aws', '--plaintext'],
  ['worker', 'examples/greet/worker.ts', '--engine', 'aws'],
])('the verb %s says what to check if no DynamoDB answers', async (...argv) => {
  const { code, err } = await holdfast(...argv, ...onTable, unreachable);
  expect(code).toBe(5);
  expect(err).toContain(`DynamoDB does not answer at ${unreachable} (`);
  expect(err).toContain('Check --region and --endpoint-dynamodb, and that the network leads there.');
});

test('aws init says what to check if the endpoint is not DynamoDB, or if no SQS answers', async () => {
  const other = await holdfast('aws', 'init', ...onTable, sqs.endpoint);
  expect(other).toMatchObject({
    code: 5,
    err: expect.stringContaining('Check --region and --endpoint-dynamodb'),
  });
  const queues = ['--queue', 'mail', '--endpoint-sqs', unreachable];
  const { code, err } = await holdfast('aws', 'init', ...onTable, dynoxide.endpoint, ...queues);
  expect(code).toBe(5);
  expect(err).toContain(`SQS does not answer at ${unreachable} (`);
  expect(err).toContain('Check --region and --endpoint-sqs, and that the network leads there.');
});

test.each([
  ['aws', 'init'],
  ['dlq', 'drain'],
  ['serve', '--engine', 'aws', '--plaintext'],
])('the verb %s says where it looks for AWS credentials if there are none', async (...argv) => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { code, err } = await holdfast(...argv, ...onTable, dynoxide.endpoint);
  expect(code).toBe(2);
  expect(err).toContain('No AWS credentials were found (');
  expect(err).toContain('AWS_ACCESS_KEY_ID');
});

test('a server and a worker do not start on a table of a newer schema, and aws init does not lower it', async () => {
  await init('--queue', 'mail');
  const { registry, close } = openTable({ table, clock: systemClock(), client: clientOf(dynoxide.endpoint) });
  onTestFinished(close);
  await raiseTableSchema(registry, 7);
  expect((await init('--queue', 'mail')).code).toBe(0);
  expect(await readTableSchema(registry)).toBe(7);
  const endpoints = ['--endpoint-dynamodb', dynoxide.endpoint, '--endpoint-sqs', sqs.endpoint];
  const on = ['--engine', 'aws', '--table', table, '--region', 'eu-central-1', ...endpoints, '--json'];
  for (const argv of [
    ['serve', '--plaintext', ...on],
    ['worker', 'examples/greet/worker.ts', ...on],
  ]) {
    const { code, json } = await holdfast(...argv);
    expect(code, argv[0]).toBe(4);
    expect(json.error).toMatchObject({
      ...{ code: 'FAILED_PRECONDITION', reason: 'SCHEMA_NEWER' },
      message: `The DynamoDB table '${table}' has schema 7, and this Holdfast reads 1.`,
    });
  }
});

test('a worker whose queue does not exist ends with status 3, and its log names the missing queue', async () => {
  await init('--queue', 'mail');
  const endpoints = ['--endpoint-dynamodb', dynoxide.endpoint, '--endpoint-sqs', sqs.endpoint];
  const argv = ['worker', 'examples/greet/worker.ts', '--engine', 'aws', '--table', table, ...endpoints];
  const worker = start(argv, { env: { AWS_REGION: 'eu-central-1' } });
  expect(await worker.exit).toBe(3);
  const unknown = "There is no queue 'default' for tenant 'default'.";
  const logLines = worker.err.split('\n').filter((line) => line.startsWith('{'));
  expect(logLines.map((line) => JSON.parse(line).err.message)).toContain(
    `The server refuses this worker: ${unknown}`,
  );
});

const withoutSdk = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) {
  if (!name.startsWith('@aws-sdk/')) return next(name, context);
  throw Object.assign(new Error("Cannot find package '" + name + "' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' });
} });
`)}`;

test.each([
  ['aws', 'init', '--table', 'abc'],
  ['dlq', 'drain', '--table', 'abc'],
  ['serve', '--engine', 'aws', '--table', 'abc', '--plaintext'],
  ['worker', 'examples/greet/worker.ts', '--engine', 'aws', '--table', 'abc'],
])('the verb %s says what to install if the AWS SDK is missing', (...argv) => {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, ['--import', withoutSdk, main, ...argv], {
    encoding: 'utf8',
  });
  expect(stderr).toContain('The AWS SDK is not installed here.');
  expect(stderr).toContain('npm install @aws-sdk/client-dynamodb @aws-sdk/client-sqs');
  expect(status).toBe(2);
});

test('aws init without a region ends with status 2', async () => {
  const { AWS_REGION } = process.env;
  delete process.env.AWS_REGION;
  try {
    const { code, err } = await holdfast('aws', 'init', '--table', 'abc');
    expect(code).toBe(2);
    expect(err).toContain('No AWS region is known here.');
  } finally {
    if (AWS_REGION !== undefined) process.env.AWS_REGION = AWS_REGION;
  }
});
