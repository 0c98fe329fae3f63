import { afterAll, beforeAll, expect, test } from 'vitest';
import { aws, createQueues, createTable, sqsQueuesOf, tableClient } from '../../src/engines/aws/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { correctedClock } from '../../src/platform/corrected-clock.ts';
import type { TimeSample } from '../../src/ports/clock.ts';
import { movingClock } from '../fixtures/moving-clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';

const table = 'clocks';
const mail = { tenant: 'default', queue: 'mail' };
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf(table, mail));
  client.destroy();
  queues.destroy();
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

function engine(
  clock: ReturnType<typeof systemClock>,
  addSample: (samples: TimeSample) => void,
  endpoint = dynoxide.endpoint,
) {
  const config = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false };
  return aws({ table, clock, dynamodb: clientOf(endpoint), sqs: config, timekeeper: { addSample } });
}

test('every response of DynamoDB and SQS, even to a refused write, gives a sample of the server time', async () => {
  const samples: TimeSample[] = [];
  const { registry, broker, close } = engine(systemClock(), (sample) => samples.push(sample));
  expect(await registry.put('spec', 'a', 1, 'absent')).toBe(true);
  expect(await registry.put('spec', 'a', 1, 'absent')).toBe(false);
  expect(samples).toHaveLength(2);
  const message = {
    id: 'x',
    queue: mail,
    priority: 'normal',
    type: 't',
    typeVersion: 1,
    version: 1,
    reason: 'submit',
  };
  expect(await broker.send([message as never])).toEqual([true]);
  expect(samples.length).toBeGreaterThan(2);
  const now = Date.now();
  for (const { serverMs, requestedAtMs, receivedAtMs } of samples) {
    expect(Math.abs(now - serverMs)).toBeLessThan(5_000);
    expect(receivedAtMs).toBeGreaterThanOrEqual(requestedAtMs);
  }
  await close();
});

test('a machine clock that is a minute ahead is corrected to within half a second by the time in AWS responses, and is reported as unfit', async () => {
  const machine = movingClock();
  machine.move(60_000);
  const clock = correctedClock(machine);
  const { registry, close } = engine(clock, (sample) => clock.addSample(sample));
  // A response narrows the range of possible offsets by no more than its own duration allows: a busy machine needs more
  // of them than the twenty of an idle one.
  await expect
    .poll(
      async () => {
        await registry.get('spec', 'none');
        return clock.errorMs;
      },
      { interval: 37, timeout: 20_000 },
    )
    .toBeLessThan(250);
  expect(clock.fit).toBe(false);
  expect(Math.abs((clock.offsetMs ?? 0) - 60_000)).toBeLessThan(500);
  // The clock does not step back to a narrower range: it runs slower for at most two seconds.
  await expect.poll(() => Math.abs(clock.now() - Date.now()), { timeout: 5_000 }).toBeLessThan(500);
  await close();
});

test('a machine clock that is an hour ahead is corrected and reported as unfit, even if every AWS response takes more than a second', async () => {
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  await proxy.set({ latency: { fixedMs: 1_100, jitterMs: 0 } });
  const machine = movingClock();
  machine.move(3_600_000);
  const clock = correctedClock(machine);
  const { registry, close } = engine(clock, (sample) => clock.addSample(sample), proxy.url);
  await registry.get('spec', 'none');
  expect(clock.fit).toBe(false);
  // The error of the corrected clock is at most the response time plus a second, because the Date header has whole
  // seconds. The limit of 10 s allows for a busy machine.
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(10_000);
  await close();
  await proxy.close();
});
