/**
 * Stand-ins of DynamoDB and SQS behind proxies, on a clock of their own. One set serves many crash points, one after
 * the other.
 */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { type MovingClock, movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { type DynamoFaults, type DynamoProxy, startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsProxy, startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import type { StoreAddress } from './child-messages.ts';
import { queue } from './scenario-driver.ts';

const tickMs = 5;

export interface CrashStandIns {
  readonly dynamo: DynamoProxy;
  readonly sqs: SqsProxy;
  /** Creates a new table with its queues. */
  createStore(): Promise<StoreAddress>;
  readonly movedMs: number;
  /** Moves the clock of the stand-ins forward. Returns the sum of all its moves in ms. */
  moveClock(ms: number): number;
  stop(): Promise<void>;
}

export async function startCrashStandIns(seed: number, faults: DynamoFaults): Promise<CrashStandIns> {
  const clock: MovingClock = movingClock();
  let movedMs = 0;
  let stores = 0;
  const [dynoxide, fauxqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const tick = (): void => fauxqs.setTime(clock.now());
  tick();
  const ticking = setInterval(tick, tickMs);
  const dynamo = await startDynamoProxy({ upstream: dynoxide.endpoint, seed, ...faults });
  const sqs = await startSqsProxy({ upstream: fauxqs.endpoint, seed });
  const tables = tableClient(clientOf(dynamo.url));
  const queues = standInClient(sqs.url);
  return {
    dynamo,
    sqs,
    async createStore() {
      const table = `points-${++stores}`;
      await createTable(tables, table, clock);
      await createQueues(queues, sqsQueuesOf(table, queue));
      return { table, dynamodb: dynamo.url, sqs: sqs.url, lagMs: faults.indexLag?.upToMs ?? 0 };
    },
    get movedMs() {
      return movedMs;
    },
    moveClock(ms) {
      clock.move(ms);
      movedMs += ms;
      tick();
      return movedMs;
    },
    async stop() {
      clearInterval(ticking);
      tables.destroy();
      queues.destroy();
      await Promise.all([dynamo.close(), sqs.close()]);
      await Promise.all([dynoxide.stop(), fauxqs.stop()]);
    },
  };
}
