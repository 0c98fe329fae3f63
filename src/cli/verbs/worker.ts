import type { Command } from '@commander-js/extra-typings';
import type { Client } from '../../client/client.ts';
import { type Duration, durationMs } from '../../client/duration.ts';
import { timing } from '../../core/limits.ts';
import type { AwsStore } from '../../node/open/aws.ts';
import {
  chosenAws,
  endpointDynamodbOption,
  endpointSqsOption,
  engineOption,
  queuePrefixOption,
  regionOption,
  tableOption,
} from '../aws/options.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { findModule } from '../module/find.ts';
import { loadWorker } from '../module/load.ts';
import { untilStopped } from '../stop.ts';

/** Where a worker gets its tasks. */
interface Source {
  readonly client: Client;
  /** How long what runs may take to finish. */
  readonly drain: { readonly timeout?: Duration };
  close(): Promise<void>;
}

export function addWorker(program: Command, globals: Globals): void {
  program
    .command('worker')
    .argument('<module>', 'a module whose default export is a worker (defineWorker)')
    .description('run a worker until it is stopped; SIGTERM lets what runs finish')
    .addOption(engineOption().default(undefined, 'none: a server gives it work'))
    .addOption(tableOption())
    .addOption(queuePrefixOption())
    .addOption(regionOption())
    .addOption(endpointDynamodbOption())
    .addOption(endpointSqsOption())
    .action(async (module, options, command) => {
      const { url, output } = globals();
      const shared = chosenAws(options, (flag) => {
        return command.getOptionValueSource(flag as keyof typeof options) === 'cli';
      });
      if (shared !== undefined && url !== undefined) {
        throw usage('--url names a server, and --engine aws needs none.', 'Leave one of them out.');
      }
      const worker = await loadWorker(findModule(module));
      const { client, drain, close } =
        shared === undefined ? await ofServer(url) : await ofTable(shared, worker.queues);
      const running = await client.work(worker);
      const types = worker.handlers.map((handler) => handler.task.name);
      output.result(
        { types, queues: worker.queues, pid: process.pid },
        () => `working on ${types.join(', ')}`,
      );
      try {
        const signal = await Promise.race([untilStopped(), running.done]);
        if (signal !== undefined) output.note(drainingText(drain.timeout ?? timing.drainMs));
        await running.drain(drain);
        await running.done;
      } finally {
        await close();
      }
    });
}

function drainingText(limit: Duration): string {
  const seconds = durationMs(limit) / 1_000;
  return `draining: what runs may finish within ${seconds} s; a second signal (Ctrl-C) ends this at once`;
}

async function ofServer(url: string | undefined): Promise<Source> {
  const { connect } = await import('../../index.ts');
  const client = connect(url);
  return { client, drain: {}, close: () => client.close() };
}

/** It listens to SQS and writes the table by itself: no server stands between. */
async function ofTable(store: AwsStore, names: readonly string[]): Promise<Source> {
  const [{ openWorkerNode }, { inProcess }, { createClient }, platform, { defaultLog }, { hostname }] =
    await Promise.all([
      import('../../node/node.ts'),
      import('../../node/in-process.ts'),
      import('../../client/client.ts'),
      import('../../platform/clock.ts'),
      import('../../platform/log.ts'),
      import('node:os'),
    ]);
  const { processPresence } = await import('../../platform/presence.ts');
  const log = defaultLog();
  const queues = names.map((queue) => ({ tenant: 'default', queue }));
  const choice = { clock: platform.systemClock(), log, queues };
  const { node, clock, drainMs } = await openWorkerNode(store, choice);
  const workerName = `${hostname()}/${process.pid}`;
  const transport = inProcess({ api: node.api, clock });
  const client = createClient(transport, { clock, log, workerName, presence: processPresence() });
  return {
    client,
    drain: { timeout: drainMs },
    async close() {
      await client.close();
      await node.close(0);
    },
  };
}
