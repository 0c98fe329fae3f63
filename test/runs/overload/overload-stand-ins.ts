/** The AWS stand-ins of an overload run: a table behind a proxy that limits its capacity, and SQS. */
import { createQueues, createTable, sqsQueuesOf, tableClient } from '../../../src/engines/aws/index.ts';
import { listPartition } from '../../../src/engines/aws/table/schema/keys.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { clientOf, startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { standInClient } from '../../stand-ins/sqs-stand-in.ts';
import { queue, tenant } from './contract.ts';
import type { OverloadAddress } from './process-messages.ts';

const table = 'overload';
/** The calls to each SQS queue that are admitted in a second of a shortage of SQS. */
const scarceCallsPerS = 3;

/**
 * The kind of shortage: a third of the table's capacity is left, or one shard of its list index admits no write, or SQS admits few calls.
 */
export type Shortage = 'table' | 'shard' | 'queues';

export interface OverloadStandIns {
  readonly address: OverloadAddress;
  /** Sets the capacity of the table in write units per second, without its indexes. */
  setCapacity(writeUnitsPerS: number): Promise<void>;
  /** Begins the shortage of a run. `setCapacity` ends it. */
  cut(shortage: Shortage, writeUnitsPerS: number): Promise<void>;
  /** Returns the number of requests that were throttled since the last call. */
  takeThrottles(): number;
  close(): Promise<void>;
}

export async function startOverloadStandIns(): Promise<OverloadStandIns> {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const proxy = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const broker = await startSqsProxy({ upstream: sqs.endpoint, seed: 1 });
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  client.destroy();
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf(table, { tenant, queue }));
  queues.destroy();
  return {
    address: { table, dynamodb: proxy.url, sqs: broker.url, api: '' },
    async setCapacity(writeUnitsPerS) {
      await proxy.set({ limits: [{ table, writeUnitsPerS }] });
      await broker.set({ limits: [] });
    },
    async cut(shortage, writeUnitsPerS) {
      if (shortage === 'table') return proxy.set({ limits: [{ table, writeUnitsPerS: writeUnitsPerS / 3 }] });
      if (shortage === 'queues') return broker.set({ limits: [{ callsPerS: scarceCallsPerS }] });
      const partitionKey = listPartition({ tenant, queue }, 1);
      return proxy.set({
        limits: [
          { table, writeUnitsPerS },
          { table, index: 'list', partitionKey, writeUnitsPerS: 0 },
        ],
      });
    },
    takeThrottles() {
      const throttled = [...proxy.calls, ...broker.calls].filter(({ fault }) => fault === 'throttled').length;
      // The proxies and the stand-in record every call, so their records are dropped here.
      proxy.restartCount();
      broker.restartCount();
      sqs.front.forget();
      return throttled;
    },
    async close() {
      await Promise.all([proxy.close(), broker.close()]);
      await sqs.stop();
      await dynoxide.stop();
    },
  };
}
