/** Loads the module that has a worker, and says what is wrong with one that has none. */
import { pathToFileURL } from 'node:url';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { usage } from '../exit-codes.ts';
import { shown } from './find.ts';
import { whyNotLoaded } from './why.ts';

const tellAfterMs = 5_000;

/**
 * The module's default export, which `defineWorker` made. `lastLoaded` says which file was read last, for errors that
 * do not say where they are.
 * @throws HoldfastError INVALID_ARGUMENT: it cannot be loaded, or exports no worker.
 */
export async function loadWorker(file: string, lastLoaded?: () => string): Promise<WorkerSpec> {
  let loaded: Readonly<Record<string, unknown>>;
  try {
    loaded = await tellingSlow(file, import(pathToFileURL(file).href) as Promise<typeof loaded>);
  } catch (thrown) {
    const { what, where, help } = whyNotLoaded(thrown, lastLoaded?.() ?? file);
    const at = where === '' ? '' : `\n${where}`;
    throw usage(`The worker ${shown(file)} cannot be loaded: ${what}${at}`, help);
  }
  if (isWorker(loaded.default)) return loaded.default;
  throw noWorker(file, loaded);
}

/** A module that awaits its own tasks never ends loading, and would else be silent for ever. */
async function tellingSlow<T>(file: string, loading: Promise<T>): Promise<T> {
  const seconds = tellAfterMs / 1_000;
  const late = setTimeout(() => {
    process.stderr.write(
      `${shown(file)} is still loading after ${seconds} s, and nothing is worked on until it is loaded: something at its top level is awaited. ` +
        'A module that has a worker defines it and no more: submit, and await results, in another program.\n',
    );
  }, tellAfterMs);
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
  const message = `${shown(file)} has no worker as its default export.`;
  if (named !== undefined)
    return usage(message, `It exports one as '${named}': write \`export default ${named}\`.`);
  if (isHandler(loaded.default)) {
    return usage(message, 'It exports a handler: write `export default defineWorker({ handlers: [it] })`.');
  }
  return usage(message, 'Write `export default defineWorker({ handlers: [handle(task, fn)] })` in it.');
}
