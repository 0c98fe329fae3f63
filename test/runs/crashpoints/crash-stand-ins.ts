/** Stand-ins behind proxies, on a clock of their own: everything that one point after the other needs. */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { type MovingClock, movingClock } from '../../fixtures/moving-clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { type DynamoFaults, type DynamoProxy, startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsProxy, startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import type { Place } from './child-messages.ts';
import { queue } from './stage.ts';

const tickMs = 5;

export interface Site {
  readonly dynamo: DynamoProxy;
  readonly sqs: SqsProxy;
  /** A table and queues that nobody used before. */
  place(): Promise<Place>;
  readonly movedMs: number;
  /** Moves the clock of the stand-ins on; how far it was moved in all. */
  move(ms: number): number;
  stop(): Promise<void>;
}

export async function startSite(seed: number, faults: DynamoFaults): Promise<Site> {
  const clock: MovingClock = movingClock();
  let movedMs = 0;
  let places = 0;
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
    async place() {
      const table = `points-${++places}`;
      await createTable(tables, table, clock);
      await createQueues(queues, sqsQueuesOf(table, queue));
      return { table, dynamodb: dynamo.url, sqs: sqs.url, lagMs: faults.indexLag?.upToMs ?? 0 };
    },
    get movedMs() {
      return movedMs;
    },
    move(ms) {
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
