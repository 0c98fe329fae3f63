import { timing } from '../../core/limits.ts';
import { type AwsStore, openAws } from './aws.ts';
import { openEngine } from './engine.ts';
import type { OpenedStore, StoreOptions } from './opened.ts';
import { pathIn } from './store-url.ts';

/** Opens the store that the configuration of a server or a worker names. */
export async function openStore(store: string | AwsStore, options: StoreOptions): Promise<OpenedStore> {
  if (typeof store !== 'string') return openAws(store, options);
  const engine = await openEngine(store, options);
  const path = pathIn(store);
  const engineName = path === undefined ? 'memory' : 'sqlite';
  const { clock } = options;
  return { engine, engineName, path, clock, createQueues: true, drainMs: timing.drainMs };
}
