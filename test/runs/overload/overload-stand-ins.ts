/** The stand-ins of a run: a table behind buckets, and SQS. */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import { queue, tenant } from './contract.ts';
import type { Place } from './process-messages.ts';

const table = 'overload';

export interface Site {
  readonly place: Place;
  /** How many write units the table carries a second, its indexes apart. */
  capacity(writeUnitsPerS: number): Promise<void>;
  /** Requests that were throttled since the last time. */
  throttles(): number;
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  client.destroy();
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf(table, { tenant, queue }));
  queues.destroy();
  return {
    place: { table, dynamodb: proxy.url, sqs: sqs.endpoint, address: '' },
    capacity: (writeUnitsPerS) => proxy.set({ limits: [{ table, writeUnitsPerS }] }),
    throttles() {
      const throttled = proxy.calls.filter(({ fault }) => fault === 'throttled').length;
      // Either of them keeps every call until it is told to forget.
      proxy.restartCount();
      sqs.front.forget();
      return throttled;
    },
    async close() {
      await proxy.close();
      await sqs.stop();
      await dynoxide.stop();
    },
  };
}
