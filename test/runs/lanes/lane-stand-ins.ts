/**
 * The stand-ins for AWS of one run of `npm run lanes`, on one clock: a DynamoDB table behind a proxy that tears transactions,
 * and SQS behind a proxy that ends a long poll when its caller ends.
 */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import { queue, tenant } from './contract.ts';
import type { LaneStoreAddress } from './process-messages.ts';

const table = 'lanes';
const tickMs = 5;
/** One transaction in five shows its items to queries one after the other, for up to a second. */
const tear = { share: 0.2, upToMs: 1_000 };
/** The interval at which the recorded calls of the SQS stand-in are dropped, since the stand-in records every call. */
const forgetMs = 1_000;

export interface LaneStandIns {
  readonly store: LaneStoreAddress;
  close(): Promise<void>;
}

export async function startLaneStandIns(seed: number, speed: number): Promise<LaneStandIns> {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const proxy = await startSqsProxy({ upstream: sqs.endpoint, seed });
  const dynamo = await startDynamoProxy({ upstream: dynoxide.endpoint, seed, tear });
  const startedAtMs = Date.now();
  const clock = movingClock({ speed, realStartMs: startedAtMs });
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, clock);
  client.destroy();
  const queues = standInClient(proxy.url);
  await createQueues(queues, sqsQueuesOf(table, { tenant, queue }));
  queues.destroy();
  const timers = [setInterval(() => sqs.front.forget(), forgetMs)];
  if (speed !== 1) timers.push(setInterval(() => sqs.setTime(clock.now()), tickMs));
  return {
    store: { table, dynamodb: dynamo.url, sqs: proxy.url, seed, speed, startedAtMs },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await proxy.close();
      await dynamo.close();
      await sqs.stop();
      await dynoxide.stop();
    },
  };
}
