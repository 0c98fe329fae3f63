import type { Command } from '@commander-js/extra-typings';
import type { Client } from '../../client/client.ts';
import { type Duration, durationMs } from '../../client/duration.ts';
import { timing } from '../../core/limits.ts';
import type { AwsStore } from '../../node/open/aws.ts';
import {
  endpointDynamodbOption,
  endpointSqsOption,
  engineOption,
  queuePrefixOption,
  regionOption,
  selectedAwsStore,
  tableOption,
} from '../aws/options.ts';
import { usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { findModule } from '../module/find.ts';
import { loadWorker } from '../module/load.ts';
import { untilStopped } from '../stop.ts';

/** The source of a worker's tasks: a server, or a table and its queues on AWS. */
interface TaskSource {
  readonly client: Client;
  /** The time in which running tasks may finish after the worker has received SIGTERM or SIGINT. */
  readonly drain: { readonly timeout?: Duration };
  close(): Promise<void>;
}

export function addWorker(program: Command, globals: Globals): void {
  program
    .command('worker')
    .argument('<module>', 'a module whose default export is a worker (defineWorker)')
    .description('run a worker until it is stopped; SIGTERM lets running tasks finish')
    .addOption(engineOption().default(undefined, 'none, the tasks come from a server'))
    .addOption(tableOption())
    .addOption(queuePrefixOption())
    .addOption(regionOption())
    .addOption(endpointDynamodbOption())
    .addOption(endpointSqsOption())
    .action(async (module, options, command) => {
      const { url, output } = globals();
      const shared = selectedAwsStore(options, (flag) => {
        return command.getOptionValueSource(flag as keyof typeof options) === 'cli';
      });
      if (shared !== undefined && url !== undefined) {
        throw usage('--url names a server, and --engine aws needs none.', 'Leave one of them out.');
      }
      const worker = await loadWorker(findModule(module));
      const { client, drain, close } =
        shared === undefined ? await fromServer(url) : await fromTable(shared, worker.queues);
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
  return `draining: running tasks may finish within ${seconds} s; a second signal (Ctrl-C) ends the worker at once`;
}

async function fromServer(url: string | undefined): Promise<TaskSource> {
  const { connect } = await import('../../index.ts');
  const client = connect(url);
  return { client, drain: {}, close: () => client.close() };
}

/** Opens a node in this process. The worker then polls SQS and writes to the table itself, without a server. */
async function fromTable(store: AwsStore, names: readonly string[]): Promise<TaskSource> {
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
