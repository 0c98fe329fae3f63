import { readFileSync } from 'node:fs';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { sqsDeadQueueName } from '../../src/engines/aws/broker/sqs/definition.ts';
import { openWorkerNode } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Service } from '../../src/service/service.ts';
import { ensureAccepted, item, specOf } from '../fixtures/api-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { type DynamoProxy, startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { holdfast } from './command-server.ts';

const mail = { tenant: 'default', queue: 'mail' };
let dynoxide: Dynoxide;
let dynamo: DynamoProxy;
let sqs: SqsStandIn;
let client: ReturnType<typeof standInClient>;
let tables = 0;
let store: AwsStore;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  dynamo = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  client = standInClient(sqs.endpoint);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
});
afterAll(async () => {
  client.destroy();
  await dynamo.close();
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});
beforeEach(async () => {
  delete sqs.front.faults.call;
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: `dlq-${++tables}`, region: 'eu-central-1', ...endpoints };
  const queues = ['mail', 'webhooks'];
  await initAws({ store, tenant: 'default', queues, priorities: undefined, check: false });
});

function drain(...argv: readonly string[]) {
  const where = ['--table', store.table, '--region', 'eu-central-1'];
  const endpoints = ['--endpoint-dynamodb', dynamo.url, '--endpoint-sqs', sqs.endpoint];
  return holdfast('dlq', 'drain', ...where, ...endpoints, ...argv);
}

async function deadQueue(): Promise<string> {
  const QueueName = sqsDeadQueueName(store.table, mail, 'normal');
  return (await client.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? '';
}

async function put(MessageBody: string): Promise<string> {
  const ids = { MessageGroupId: crypto.randomUUID(), MessageDeduplicationId: crypto.randomUUID() };
  const sent = await client.send(
    new SendMessageCommand({ QueueUrl: await deadQueue(), MessageBody, ...ids }),
  );
  return sent.MessageId ?? '';
}

/** Returns the number of messages of the dead-letter queue that are not hidden. */
async function countVisible(): Promise<number> {
  const request = {
    QueueUrl: await deadQueue(),
    AttributeNames: ['ApproximateNumberOfMessages' as const],
  };
  const { Attributes } = await client.send(new GetQueueAttributesCommand(request));
  return Number(Attributes?.ApproximateNumberOfMessages);
}

/** Runs `use` with the service of a worker node on the table. */
async function onTable(use: (service: Service) => Promise<unknown>): Promise<void> {
  const { node } = await openWorkerNode(store, { clock: systemClock(), log: silentLog });
  await use(node.service);
  await node.close();
}

/** Submits a task to the queue `mail` and lets it die. */
const die = () => onTable(fail);

async function fail(service: Service): Promise<void> {
  await service.submit(mail, [item('a')], { notAfterMs: undefined });
  const [task] = await service.claim({
    tenant: mail.tenant,
    workerName: 'w',
    workerId: 'w-1',
    queues: [mail.queue],
    types: [{ type: 'note', maxVersion: 1 }],
    maxTasks: 1,
    waitMs: 5_000,
    requestId: '',
    signal: new AbortController().signal,
  });
  if (task === undefined) throw new Error('no task');
  const fatal = {
    lease: task.lease,
    outcome: 'fatal',
    result: undefined,
    message: 'no',
    errorType: '',
  } as const;
  await service.settle([{ ...fatal, afterMs: undefined, begun: false }], {
    tenant: mail.tenant,
    sessionId: undefined,
  });
}

test('dlq drain prints the counts of each queue, and the ids of messages that Holdfast did not write', async () => {
  await die();
  const id = await put('not ours');
  const { code, out, err } = await drain();
  expect([code, out.split('\n')]).toEqual([
    0,
    [
      'QUEUE     EXAMINED  KEPT  DROPPED  RESENT  UNREADABLE',
      'mail      2         1     0        0       1',
      'webhooks  0         0     0        0       0',
      '',
    ],
  ]);
  expect(err).toBe(
    `queue mail: messages that Holdfast did not write, kept in the queue (--drop-unreadable drops them): ${id}\n`,
  );
  expect(await countVisible()).toBe(2);
});

test('dlq drain --json prints one JSON value that contains only the named queues', async () => {
  await die();
  const id = await put('not ours');
  const first = await drain('--queue', 'webhooks,mail', '--dry-run', '--drop-unreadable', '--json');
  const nothing = { tenant: 'default', examined: 0, kept: 0, dropped: 0, resent: 0, unreadable: 0 };
  expect(first.json).toEqual({
    dryRun: true,
    queues: [
      { ...nothing, queue: 'webhooks', unreadableIds: [], isComplete: true },
      {
        ...nothing,
        queue: 'mail',
        examined: 2,
        kept: 1,
        unreadable: 1,
        unreadableIds: [id],
        isComplete: true,
      },
    ],
  });
  expect(await countVisible()).toBe(2);
  const second = await drain('--queue', 'mail', '--drop-unreadable', '--json');
  expect(second.json).toMatchObject({ dryRun: false, queues: [{ kept: 1, unreadable: 1 }] });
  expect(await countVisible()).toBe(1);
});

test('dlq drain notes that a queue may have more messages, and that a dry run changed nothing', async () => {
  for (let i = 0; i < 3; i++) await put(`no. ${i}`);
  const { err } = await drain('--queue', 'mail', '--limit', '2', '--dry-run');
  expect(err).toContain('queue mail: there may be more than these (--limit 2)\n');
  expect(err).toContain('nothing was changed (--dry-run)\n');
});

test('dlq drain suggests the nearest name for an unknown queue, and changes nothing', async () => {
  await put('not ours');
  const { code, err } = await drain('--queue', 'mail', '--queue', 'webhook', '--drop-unreadable');
  expect(code).toBe(3);
  expect(err).toContain("There is no queue 'webhook' for tenant 'default'.");
  expect(err).toContain("Did you mean 'webhooks'?");
  expect(await countVisible()).toBe(1);
});

test('dlq drain returns the messages that it holds at Ctrl-C, and ends with status 130', async () => {
  for (let i = 0; i < 45; i++) await put(`no. ${i}`);
  sqs.front.faults.call = (action) => {
    if (action === 'ReceiveMessage') process.emit('SIGINT');
    return undefined;
  };
  const { code, err } = await drain();
  expect(code).toBe(130);
  expect(err).toContain('Interrupted; done until then:\nQUEUE  EXAMINED');
  expect(err).toMatch(/\nmail +40 +0 +0 +0 +40\n {2}All other messages are still in their queue\./);
  expect(await countVisible()).toBe(45);
});

test('dlq drain makes only the AWS calls that docs/aws.md lists for it', async () => {
  await die();
  await onTable(async (service) => {
    const spec = specOf('{}', 'note', 'lane');
    const [first] = await service.submit(mail, [item('first', { spec })], { notAfterMs: undefined });
    await service.cancel(mail.tenant, ensureAccepted(first).id, { actor: 'op', message: '' });
    const [task] = await service.submit(mail, [item('b', { spec })], { notAfterMs: undefined });
    await put(`[1,"${ensureAccepted(task).id}","note",1,1,"submit","normal"]`);
  });
  await put('not ours');
  dynamo.restartCount();
  sqs.front.forget();
  const { json } = await drain('--drop-unreadable', '--json');
  expect(json.queues[0]).toMatchObject({ kept: 1, resent: 1, unreadable: 1 });
  const page = readFileSync(new URL('../../docs/aws.md', import.meta.url), 'utf8');
  const [, row = ''] = /^\| `dlq drain` \| (.*) \|$/m.exec(page) ?? [];
  const permissions = dynamo.calls.map(({ operation }) => operation.replace('TransactGetItems', 'GetItem'));
  expect([...new Set(permissions)].sort().join(', ')).toBe(row.split(' | ')[0]);
  const [dispatchCalls = '', deadLetterCalls = ''] =
    row.split(' | ')[1]?.split('; on the dead-letter queues ') ?? [];
  const actionsOn = (isDead: boolean): string[] => {
    const calls = sqs.front.calls.filter(
      ({ body }) => String(body.QueueUrl ?? body.QueueName).endsWith('-dead.fifo') === isDead,
    );
    return [...new Set(calls.map(({ action }) => action.replace('Batch', '')))].sort();
  };
  expect(actionsOn(false)).toEqual(dispatchCalls.split(', ').sort());
  expect(actionsOn(true)).toEqual(deadLetterCalls.split(', ').sort());
});

test.each([
  [['--limit', '0'], 'Write a whole number from 1 to 100000.'],
  [['--limit', '100001'], 'Write a whole number from 1 to 100000.'],
  [['--queue', 'mail', 'webhooks'], "No option takes 'webhooks'"],
  [['--tenant', 'a b'], "'a b' is invalid"],
])('dlq drain %j is refused as a usage error', async (argv, message) => {
  const { code, err } = await drain(...argv);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
