import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { memory } from '../../engines/memory/index.ts';
import { sqlite } from '../../engines/sqlite/index.ts';
import type { Engine } from '../../ports/engine.ts';
import { type AwsStore, openAws } from './aws.ts';
import type { OpenedStore, StoreOptions } from './opened.ts';

/** The interval in ms at which a process notices that the files of its store were moved, removed or replaced. */
const checkFilesEveryMs = 500;

/**
 * Opens the engine that the URL names: `file:<path>` is the embedded store, `memory:` a store that is gone with the
 * process. Throws BAD_CONFIGURATION for any other URL.
 */
export async function openEngine(url: string, options: StoreOptions): Promise<Engine> {
  if (url === 'memory:') return memory({ clock: options.clock });
  const path = pathOf(url);
  if (path !== undefined) return sqlite({ path, checkFilesEveryMs, ...options });
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `'${url}' names no store.`, {
    help: 'Use file:./queue.db for a store in a file, or memory: for one that is gone with the process.',
  });
}

/** Returns the path of the file that a URL names, or undefined if it names none. */
function pathOf(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined;
  return url.slice('file:'.length).replace(/^\/\/(?=\/)/, '') || undefined;
}

/** Opens the store that the configuration of a server or a worker names. */
export async function openStore(store: string | AwsStore, options: StoreOptions): Promise<OpenedStore> {
  if (typeof store !== 'string') return openAws(store, options);
  const engine = await openEngine(store, options);
  const path = pathOf(store);
  const engineName = path === undefined ? 'memory' : 'sqlite';
  const { clock } = options;
  return { engine, engineName, path, clock, createQueues: true, drainMs: timing.drainMs };
}
