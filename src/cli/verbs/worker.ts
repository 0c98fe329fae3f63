import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from '@commander-js/extra-typings';
import type { WorkerSpec } from '../../client/handler.ts';
import { connect } from '../../index.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { untilStopped } from '../stop.ts';

/** The module's default export, which `defineWorker` made. */
async function load(module: string): Promise<WorkerSpec> {
  const file = resolve(module);
  let loaded: { readonly default?: WorkerSpec };
  try {
    loaded = (await import(pathToFileURL(file).href)) as typeof loaded;
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw usage(`The worker '${module}' cannot be loaded: ${why}`, 'Check its path and its imports.');
  }
  if (!Array.isArray(loaded.default?.handlers)) {
    throw usage(
      `'${module}' has no worker.`,
      'Write `export default defineWorker({ handlers: [...] })` in it.',
    );
  }
  return loaded.default;
}

export function addWorker(program: Command, globals: Globals): void {
  program
    .command('worker')
    .argument('<module>', 'a module whose default export is a worker (defineWorker)')
    .description('run a worker until it is stopped; SIGTERM lets what runs finish')
    .action(async (module) => {
      const { url, output } = globals();
      const worker = await load(module);
      const client = connect(url);
      const running = await client.work(worker);
      const types = worker.handlers.map((handler) => handler.task.name);
      output.result(
        { types, queues: worker.queues, pid: process.pid },
        () => `working on ${types.join(', ')}`,
      );
      await Promise.race([untilStopped(), running.done]);
      await client.close();
    });
}
