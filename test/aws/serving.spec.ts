import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { openTable } from '../../src/engines/aws/index.ts';
import { openWorkerNode, type RunningServer, serve } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { nodeKind } from '../../src/runtime/nodes/membership.ts';
import type { NodeEntry } from '../../src/runtime/nodes/shard-ownership.ts';
import { item } from '../fixtures/api-node.ts';
import { recordingLog } from '../fixtures/listening-node.ts';
import { movingClock } from '../fixtures/moving-clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let store: AwsStore;
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: 'serving', region: 'eu-central-1', ...endpoints };
  const priorities = ['high', 'normal'] as const;
  await initAws({ store, tenant: 'default', queues: ['mail'], priorities, check: false });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

const log = recordingLog();
const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;

async function server(node: string, clock: Clock = systemClock()): Promise<RunningServer> {
  const serving = await serve({ store, node, clock, log, grpc: free, http: free });
  onTestFinished(() => serving.close(0));
  return serving;
}

async function healthOf({ listening }: RunningServer): Promise<number> {
  return (await fetch(`http://127.0.0.1:${listening.httpPort}/healthz`)).status;
}

async function entryOf(name: string): Promise<NodeEntry | undefined> {
  const parts = openTable({ table: store.table, clock: systemClock(), client: clientOf(dynoxide.endpoint) });
  const entries = await parts.registry.list(nodeKind, '');
  await parts.close();
  return entries.map(({ value }) => value as NodeEntry).find((entry) => entry.name === name);
}

test('a node whose clock is wrong stops looking for due tasks and is not ready until the clock is right again', async () => {
  const clock = movingClock();
  const [, wrong] = await Promise.all([server('right'), server('wrong', clock)]);
  await expect.poll(async () => (await entryOf('wrong'))?.shards.length, { timeout: 12_000 }).toBe(4);
  expect(await healthOf(wrong)).toBe(200);
  clock.move(-60_000);
  await expect.poll(() => healthOf(wrong), { timeout: 8_000 }).toBe(503);
  await expect.poll(async () => (await entryOf('wrong'))?.sweeps, { timeout: 8_000 }).toBe(false);
  expect((await entryOf('wrong'))?.clockOffsetMs).toBeLessThan(-59_000);
  await expect.poll(async () => (await entryOf('right'))?.shards.length, { timeout: 12_000 }).toBe(8);
  const line = log.lines.find(({ message }) => message.includes('more than 2 s off'));
  expect(line).toMatchObject({ level: 'error', help: expect.stringContaining('time service') });
  clock.move(60_000);
  await expect.poll(() => healthOf(wrong), { timeout: 8_000 }).toBe(200);
}, 60_000);

test('dispatch messages of high and normal priority go to the two SQS queues that aws init created for these priorities', async () => {
  const { node } = await server('priorities');
  sqs.front.forget();
  const urgent = { ...item('a'), options: { ...item('a').options, priority: 'high' as const } };
  await node.service.submit({ tenant: 'default', queue: 'mail' }, [urgent, item('b')], {
    notAfterMs: undefined,
  });
  const urls = sqs.front.calls
    .filter(({ action }) => action === 'SendMessageBatch')
    .map(({ body }) => body.QueueUrl);
  expect(urls.map((url) => /-(high|normal)\.fifo$/.exec(String(url))?.[1]).sort()).toEqual([
    'high',
    'normal',
  ]);
});

test('a submission to a queue that was never created fails with an error that suggests the nearest known queue name', async () => {
  const { node } = await server('unknown');
  const submitted = node.service.submit({ tenant: 'default', queue: 'mial' }, [item('a')], {
    notAfterMs: undefined,
  });
  await expect(submitted).rejects.toMatchObject({
    reason: 'QUEUE_UNKNOWN',
    help: expect.stringContaining("Did you mean 'mail'?"),
  });
});

test('a server logs each missing SQS queue once at the start and starts nevertheless', async () => {
  const startLog = recordingLog();
  const wrong = { ...store, queuePrefix: 'wrong' };
  const serving = await serve({ store: wrong, clock: systemClock(), log: startLog, grpc: free });
  onTestFinished(() => serving.close(0));
  const lines = () => startLog.lines.filter(({ level }) => level === 'error');
  await expect.poll(() => lines().length, { timeout: 8_000 }).toBe(2);
  expect(
    lines()
      .map(({ sqs_queue }) => sqs_queue)
      .sort(),
  ).toEqual([
    expect.stringMatching(/^wrong__default-mail-.*-high\.fifo$/),
    expect.stringMatching(/^wrong__default-mail-.*-normal\.fifo$/),
  ]);
  expect(lines()[0]).toMatchObject({
    tenant: 'default',
    queue: 'mail',
    message: 'a queue has no SQS queue: its tasks are not given to workers',
    help: 'Check --queue-prefix, --region and --endpoint-sqs, or create the SQS queue with `holdfast aws init`.',
  });
});

test('a worker on SQS logs at the start in one line that SQS does not answer', async () => {
  const startLog = recordingLog();
  const away = { ...store, endpointSqs: 'http://127.0.0.1:1' };
  const queues = [{ tenant: 'default', queue: 'mail' }];
  const { node } = await openWorkerNode(away, { clock: systemClock(), log: startLog, queues });
  onTestFinished(() => node.close(0));
  const lines = () => startLog.lines.filter(({ level }) => level === 'error');
  await expect.poll(() => lines().length, { timeout: 8_000 }).toBe(1);
  expect(lines()[0]).toMatchObject({
    message: 'the SQS queues could not be looked up at the start',
    err: {
      reason: 'UNREACHABLE',
      message: expect.stringContaining('SQS does not answer at http://127.0.0.1:1 ('),
      help: expect.stringContaining('--endpoint-sqs'),
    },
  });
});

test('a worker on SQS looks up only the SQS queues of the Holdfast queues that it serves', async () => {
  await initAws({ store, tenant: 'default', queues: ['letters'], priorities: undefined, check: false });
  sqs.front.forget();
  const queues = [{ tenant: 'default', queue: 'letters' }];
  const { node } = await openWorkerNode(store, { clock: systemClock(), log, queues });
  onTestFinished(() => node.close(0));
  const lookedUp = () => sqs.front.calls.filter(({ action }) => action === 'GetQueueUrl');
  await expect
    .poll(lookedUp)
    .toMatchObject([{ body: { QueueName: expect.stringMatching(/-letters-.*-normal\.fifo$/) } }]);
});

test('a server on a table that does not exist fails at the start', async () => {
  const elsewhere = serve({ store: { ...store, table: 'elsewhere' }, clock: systemClock(), log, grpc: free });
  await expect(elsewhere).rejects.toMatchObject({
    reason: 'BAD_CONFIGURATION',
    help: expect.stringContaining('holdfast aws init'),
  });
});
