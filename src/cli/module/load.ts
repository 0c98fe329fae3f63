/** Loads a worker's module. If that fails, or if the module exports no worker, the error says how to correct it. */
import { pathToFileURL } from 'node:url';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { usage } from '../exit-codes.ts';
import { foreignCodeIsLoaded } from '../stop.ts';
import { shortPath } from './find.ts';
import { loadFailureOf } from './load-failure.ts';

const warnAfterMs = 5_000;

/**
 * Returns the module's default export, which `defineWorker` made. `lastLoaded` returns the file that was read last, for
 * errors that do not name their file.
 * @throws HoldfastError INVALID_ARGUMENT if the module cannot be loaded or exports no worker.
 */
export async function loadWorker(file: string, lastLoaded?: () => string): Promise<WorkerSpec> {
  let loaded: Readonly<Record<string, unknown>>;
  foreignCodeIsLoaded();
  try {
    loaded = await warnWhileSlow(file, import(pathToFileURL(file).href) as Promise<typeof loaded>);
  } catch (thrown) {
    const { problem, place, help } = loadFailureOf(thrown, lastLoaded?.() ?? file);
    const at = place === '' ? '' : `\n${place}`;
    throw usage(`The worker ${shortPath(file)} cannot be loaded: ${problem}${at}`, help);
  }
  if (isWorker(loaded.default)) return loaded.default;
  throw noWorker(file, loaded);
}

/**
 * Prints a warning if loading a worker's module takes long. A module that awaits its own tasks never finishes loading,
 * and nothing else would report that.
 */
async function warnWhileSlow<T>(file: string, loading: Promise<T>): Promise<T> {
  const seconds = warnAfterMs / 1_000;
  const late = setTimeout(() => {
    process.stderr.write(
      `${shortPath(file)} is still loading after ${seconds} s, and no task is worked on before it is loaded: its top level awaits something. ` +
        'A worker module should only define the worker; submit tasks and await their results in another program.\n',
    );
  }, warnAfterMs);
  late.unref();
  try {
    return await loading;
  } finally {
    clearTimeout(late);
  }
}

function isWorker(value: unknown): value is WorkerSpec {
  const { handlers, queues } = (value ?? {}) as Partial<WorkerSpec>;
  return Array.isArray(handlers) && Array.isArray(queues);
}

function isHandler(value: unknown): boolean {
  const { task, run } = (value ?? {}) as { task?: unknown; run?: unknown };
  return typeof run === 'function' && typeof task === 'object';
}

function noWorker(file: string, loaded: Readonly<Record<string, unknown>>): HoldfastError {
  const named = Object.keys(loaded).find((name) => name !== 'default' && isWorker(loaded[name]));
  const message = `${shortPath(file)} has no worker as its default export.`;
  if (named !== undefined)
    return usage(message, `It exports a worker as '${named}': write \`export default ${named}\`.`);
  if (isHandler(loaded.default)) {
    return usage(message, 'It exports a handler: write `export default defineWorker({ handlers: [it] })`.');
  }
  return usage(message, 'Write `export default defineWorker({ handlers: [handle(task, fn)] })` in it.');
}
