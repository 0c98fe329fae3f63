import { afterAll, beforeAll, expect, test } from 'vitest';
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import { aws, createQueues, createTable, sqsQueuesOf, tableClient } from '../../src/engines/aws/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService } from '../../src/service/create-service.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';

const clock = systemClock();
const mail = { tenant: 'default', queue: 'mail' };
const types = ['print', 'send'] as const;
const eachType = 40;
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const table = tableClient(clientOf(dynoxide.endpoint));
  await createTable(table, 'apart', clock);
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf('apart', mail));
  table.destroy();
  queues.destroy();
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

async function node(name: string) {
  const sqsConfig = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false };
  const engine = aws({ table: 'apart', clock, dynamodb: clientOf(dynoxide.endpoint), sqs: sqsConfig });
  const { store, broker, registry } = engine;
  const options = { node: name, store, broker, registry, clock, log: silentLog, createQueues: true };
  return { ...(await createService(options)), engine };
}

function itemOf(type: string) {
  const bytes = Buffer.from('{}');
  const payload = { contentType: 'application/json', encoding: '', keyId: '', bytes, reference: '' };
  const spec = encodeSpec({ type, typeVersion: 1, orderingKey: undefined, payload });
  return { key: clock.uuid(), spec, options: noOptions, traceparent: '' };
}

/** Claims tasks of one type until all of them have been claimed. */
async function claimAll(service: Awaited<ReturnType<typeof node>>['service'], type: string): Promise<number> {
  let claimed = 0;
  while (claimed < eachType) {
    const tasks = await service.claim({
      tenant: mail.tenant,
      workerName: type,
      workerId: type,
      queues: [mail.queue],
      types: [{ type, maxVersion: 1 }],
      maxTasks: 10,
      waitMs: 1_000,
      requestId: '',
      signal: new AbortController().signal,
    });
    claimed += tasks.length;
  }
  return claimed;
}

// If a worker of the wrong type hid each delivery for 15 s or more, this test would take minutes.
test('workers in two processes that handle different task types of one queue do not delay each other’s tasks', {
  timeout: 40_000,
}, async () => {
  const nodes = await Promise.all([node('a'), node('b')]);
  for (const { context } of nodes) await context.queues.ensure(mail);
  const items = Array.from({ length: 2 * eachType }, (_, i) => itemOf(types[i % 2] as string));
  const submitted = await nodes[0].service.submit(mail, items, { notAfterMs: undefined });
  expect(submitted.every((one) => one.error === undefined)).toBe(true);
  const claimed = await Promise.all(nodes.map(({ service }, i) => claimAll(service, types[i] as string)));
  expect(claimed).toEqual([eachType, eachType]);
  for (const { settled, engine } of nodes) {
    await settled();
    await engine.close();
  }
});
