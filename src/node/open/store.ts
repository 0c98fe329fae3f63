import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { memory } from '../../engines/memory/index.ts';
import { sqlite } from '../../engines/sqlite/index.ts';
import type { Engine } from '../../ports/engine.ts';
import { type AwsStore, openAws } from './aws.ts';
import type { EngineChoice, OpenedStore } from './opened.ts';

/** `file:<path>` is the embedded store, `memory:` is gone with the process. Anything else: BAD_CONFIGURATION. */
export async function openEngine(url: string, choice: EngineChoice): Promise<Engine> {
  if (url === 'memory:') return memory({ clock: choice.clock });
  if (url.startsWith('file:')) {
    const path = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (path !== '') return sqlite({ path, ...choice });
  }
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `'${url}' names no store.`, {
    help: 'Use file:./queue.db for a store in a file, or memory: for one that is gone with the process.',
  });
}

/** Whatever a server or a worker names as its store. */
export async function openStore(store: string | AwsStore, choice: EngineChoice): Promise<OpenedStore> {
  if (typeof store !== 'string') return openAws(store, choice);
  const engine = await openEngine(store, choice);
  return { engine, clock: choice.clock, createQueues: true, drainMs: timing.drainMs };
}
