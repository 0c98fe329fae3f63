/** Opens the engines whose store is in this process. */
import { HoldfastError } from '../../core/errors.ts';
import { memory } from '../../engines/memory/index.ts';
import { sqlite } from '../../engines/sqlite/index.ts';
import type { Engine } from '../../ports/engine.ts';
import type { StoreOptions } from './opened.ts';
import { pathIn } from './store-url.ts';

/** The interval in ms at which a process notices that the files of its store were moved, removed or replaced. */
const checkFilesEveryMs = 500;

/**
 * Opens the engine that the URL names: `file:<path>` is the embedded store, `memory:` a store that is gone with the
 * process. Throws BAD_CONFIGURATION for any other URL.
 */
export async function openEngine(url: string, options: StoreOptions): Promise<Engine> {
  if (url === 'memory:') return memory({ clock: options.clock });
  const path = pathIn(url);
  if (path !== undefined) return sqlite({ path, checkFilesEveryMs, ...options });
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `'${url}' names no store.`, {
    help: 'Use file:./queue.db for a store in a file, or memory: for one that is gone with the process.',
  });
}
