/** The AWS stand-ins of an overload run: a table behind a proxy that limits its capacity, and SQS. */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import { queue, tenant } from './contract.ts';
import type { OverloadAddress } from './process-messages.ts';

const table = 'overload';

export interface OverloadStandIns {
  readonly address: OverloadAddress;
  /** Sets the capacity of the table in write units per second, without its indexes. */
  setCapacity(writeUnitsPerS: number): Promise<void>;
  /** Returns the number of requests that were throttled since the last call. */
  takeThrottles(): number;
  close(): Promise<void>;
}

export async function startOverloadStandIns(): Promise<OverloadStandIns> {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  client.destroy();
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf(table, { tenant, queue }));
  queues.destroy();
  return {
    address: { table, dynamodb: proxy.url, sqs: sqs.endpoint, api: '' },
    setCapacity: (writeUnitsPerS) => proxy.set({ limits: [{ table, writeUnitsPerS }] }),
    takeThrottles() {
      const throttled = proxy.calls.filter(({ fault }) => fault === 'throttled').length;
      // The proxy and the stand-in record every call, so their records are dropped here.
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
