/** The stores of the drill: a file, a file on a small disk, and the stand-ins of AWS behind proxies that inject faults. */
import { join } from 'node:path';
import { canaryQueue } from '../../../src/core/objectives/objectives.ts';
import { openAwsStore } from '../../fixtures/aws-store.ts';
import type { DynamoProxy } from '../../stand-ins/proxy/dynamo-proxy.ts';
import type { SqsProxy } from '../../stand-ins/proxy/sqs-proxy.ts';
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
/** The interval at which the recorded calls of the stand-ins are dropped, since every call is recorded. */
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
  const store = await openAwsStore('drill', [...queues, canaryQueue]);
  const forgetting = setInterval(() => store.forget(), forgetMs);
  const { env, table, sqs } = store;
  return {
    ...{ args: [], env, table, sqs },
    async close() {
      clearInterval(forgetting);
      await store.close();
    },
  };
}
