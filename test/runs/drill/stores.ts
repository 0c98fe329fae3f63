/** The stores of the drill: a file, a file on a small disk, and the stand-ins of AWS behind proxies that inject faults. */
import { join } from 'node:path';
import { initAws } from '../../../src/cli/aws/init.ts';
import { canaryQueue } from '../../../src/core/objectives/objectives.ts';
import { startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { type DynamoProxy, startDynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import { type SqsProxy, startSqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
import { Guard } from '../chaos/guard.ts';
import { SmallDisk } from '../chaos/small-disk.ts';
import { queues } from './contract.ts';

/** How the servers of a drill find their store, and the parts of it in which an injector can act. */
export interface DrillStore {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly disk?: SmallDisk;
  readonly table?: DynamoProxy;
  readonly sqs?: SqsProxy;
  close(): Promise<void>;
}

export type StoreKind = 'file' | 'small-disk' | 'aws';

/** The size of the small disk: the server's ballast of 64 MiB, and room for some tasks. */
const diskMb = 200;
/** The interval at which the recorded calls of the SQS stand-in are dropped, since it records every call. */
const forgetMs = 1_000;

export async function openStore(kind: StoreKind, dir: string): Promise<DrillStore> {
  if (kind === 'aws') return openAws();
  if (kind === 'small-disk') return openOnSmallDisk(dir);
  return { args: ['--store', `file:${join(dir, 'queue.db')}`], env: {}, close: async () => {} };
}

async function openOnSmallDisk(dir: string): Promise<DrillStore> {
  const guard = await Guard.start();
  const disk = SmallDisk.mount(dir, guard, diskMb);
  if (typeof disk === 'string') {
    await guard.close();
    throw new Error(disk);
  }
  const path = join(disk.path, 'queue.db');
  return { args: ['--store', `file:${path}`], env: {}, disk, close: () => guard.close() };
}

async function openAws(): Promise<DrillStore> {
  const [dynoxide, fauxqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const table = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  const sqs = await startSqsProxy({ upstream: fauxqs.endpoint, seed: 1 });
  const forgetting = setInterval(() => {
    fauxqs.front.forget();
    table.restartCount();
    sqs.restartCount();
  }, forgetMs);
  const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
  Object.assign(process.env, credentials);
  const place = { table: 'drill', region: 'eu-central-1' };
  const store = { ...place, endpointDynamodb: table.url, endpointSqs: sqs.url };
  await initAws({
    store,
    tenant: 'default',
    queues: [...queues, canaryQueue],
    priorities: undefined,
    check: false,
  });
  return {
    args: [],
    env: {
      ...credentials,
      HOLDFAST_ENGINE: 'aws',
      HOLDFAST_AWS_TABLE: place.table,
      HOLDFAST_AWS_REGION: place.region,
      HOLDFAST_AWS_ENDPOINT_DYNAMODB: table.url,
      HOLDFAST_AWS_ENDPOINT_SQS: sqs.url,
    },
    table,
    sqs,
    async close() {
      clearInterval(forgetting);
      await Promise.all([table.close(), sqs.close()]);
      await Promise.all([dynoxide.stop(), fauxqs.stop()]);
    },
  };
}
