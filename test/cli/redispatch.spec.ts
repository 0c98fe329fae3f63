/** Tests `holdfast queues redispatch` on stand-ins: the SQS queue of a queue with unfinished tasks is purged or made anew. */
import { DeleteQueueCommand, GetQueueUrlCommand, PurgeQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { noOptions } from '../../src/core/codec/options.ts';
import { sqsQueueName } from '../../src/engines/aws/broker/sqs/definition.ts';
import { type HoldfastNode, openWorkerNode } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { item, specOf } from '../fixtures/api-node.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { holdfast } from './command-server.ts';

const mail = { tenant: 'default', queue: 'mail' };
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let client: ReturnType<typeof standInClient>;
let tables = 0;
let store: AwsStore;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  client = standInClient(sqs.endpoint);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
});
afterAll(async () => {
  client.destroy();
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

const init = () =>
  initAws({ store, tenant: 'default', queues: ['mail'], priorities: undefined, check: false });
beforeEach(async () => {
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: `again-${++tables}`, region: 'eu-central-1', ...endpoints };
  await init();
});

function redispatch(...argv: readonly string[]) {
  const where = ['--table', store.table, '--region', 'eu-central-1'];
  const endpoints = ['--endpoint-dynamodb', dynoxide.endpoint, '--endpoint-sqs', sqs.endpoint];
  return holdfast('queues', 'redispatch', ...where, ...endpoints, ...argv);
}

async function queueUrl(): Promise<string> {
  const QueueName = sqsQueueName(store.table, mail, 'normal');
  return (await client.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? '';
}

/** Submits 120 tasks without a lane, 3 tasks of one lane, and one that is scheduled for tomorrow. */
async function submitAll(node: HoldfastNode): Promise<void> {
  const plain = Array.from({ length: 120 }, (_, i) => item(`k${i}`));
  const lane = [1, 2, 3].map((n) => item(`lane-${n}`, { spec: specOf('{}', 'note', 'ann') }));
  const late = item('late', { options: { ...noOptions, delayMs: 86_400_000 } });
  for (const items of [plain.slice(0, 100), plain.slice(100), lane, [late]]) {
    for (const { error } of await node.service.submit(mail, items, { notAfterMs: undefined }))
      expect(error).toBeUndefined();
  }
}

async function claimAll(node: HoldfastNode): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const claimed = await node.service.claim({
      ...{ tenant: 'default', workerName: 'w', workerId: 'i', requestId: '', queues: ['mail'] },
      ...{ types: [{ type: 'note', maxVersion: 1 }], maxTasks: 10, waitMs: keys.length < 121 ? 5_000 : 0 },
      signal: new AbortController().signal,
    });
    keys.push(...claimed.map(({ key }) => key));
    if (claimed.length === 0) return keys;
  }
}

const openNode = async (): Promise<HoldfastNode> =>
  (await openWorkerNode(store, { clock: systemClock(), log: silentLog })).node;

test.each(['purged', 'made anew'])(
  'the tasks of an SQS queue that was %s are dispatched again, in batches of ten',
  async (how) => {
    const node = await openNode();
    await submitAll(node);
    await node.close(0);
    const QueueUrl = await queueUrl();
    if (how === 'purged') await client.send(new PurgeQueueCommand({ QueueUrl }));
    else {
      await client.send(new DeleteQueueCommand({ QueueUrl }));
      expect(await redispatch('mail', '--json')).toMatchObject({
        code: 3,
        json: { error: { reason: 'QUEUE_UNKNOWN' } },
      });
      await init();
    }
    const dry = await redispatch('mail', '--dry-run', '--json');
    const counts = { queue: 'mail', needed: 121, messages: 0, failed: 0, isComplete: true };
    expect(dry).toMatchObject({ code: 0, json: { ...counts, sent: 0, dryRun: true } });
    sqs.front.forget();
    const { code, out } = await redispatch('mail');
    expect(code).toBe(0);
    expect(out).toMatch(/^QUEUE +EXAMINED +NEEDED +IN SQS BEFORE +SENT\nmail +124 +121 +about 0 +121\n$/);
    const sends = sqs.front.calls.filter(({ action }) => action === 'SendMessageBatch');
    expect(sends.length).toBeLessThanOrEqual(16);
    const worker = await openNode();
    const keys = await claimAll(worker);
    expect(keys).toHaveLength(121);
    expect(keys).toContain('lane-1');
    await worker.close(0);
  },
);

test('a second run does no harm, and a mistyped queue or an unreachable SQS is explained', async () => {
  const node = await openNode();
  await node.service.submit(mail, [item('a')], { notAfterMs: undefined });
  for (const _ of [1, 2])
    expect(await redispatch('mail', '--json')).toMatchObject({ json: { needed: 1, sent: 1 } });
  expect((await claimAll(node)).filter((key) => key === 'a')).toEqual(['a']);
  await node.close(0);
  const { code, json } = await redispatch('mial', '--json');
  expect(code).toBe(3);
  expect(json.error.help).toContain("Did you mean 'mail'?");
});
