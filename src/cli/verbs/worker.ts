import type { Command } from '@commander-js/extra-typings';
import type { Globals } from '../globals.ts';
import { findModule } from '../module/find.ts';
import { loadWorker } from '../module/load.ts';
import { untilStopped } from '../stop.ts';

export function addWorker(program: Command, globals: Globals): void {
  program
    .command('worker')
    .argument('<module>', 'a module whose default export is a worker (defineWorker)')
    .description('run a worker until it is stopped; SIGTERM lets what runs finish')
    .action(async (module) => {
      const { url, output } = globals();
      const { connect } = await import('../../index.ts');
      const worker = await loadWorker(findModule(module));
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
