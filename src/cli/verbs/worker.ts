import type { Command } from '@commander-js/extra-typings';
import type { Client } from '../../client/client.ts';
import type { WorkerSpec } from '../../client/contract/handler.ts';
import { type AloneRunner, withAloneRunner } from '../../client/worker/run-alone.ts';
import type { DrainReport } from '../../client/worker/running.ts';
import { timing } from '../../core/limits.ts';
import type { ProcessMetrics } from '../../node/metrics/start-metrics.ts';
import type { AwsStore } from '../../node/open/aws.ts';
import type { Log } from '../../ports/log.ts';
import type { Tracing } from '../../ports/tracing.ts';
import { aloneProcesses } from '../alone/alone-process.ts';
import {
  endpointDynamodbOption,
  endpointSqsOption,
  engineOption,
  queuePrefixOption,
  regionOption,
  selectedAwsStore,
  tableOption,
} from '../aws/options.ts';
import type { ServerOptions } from '../connection/connect.ts';
import { agentAt } from '../ecs/agent.ts';
import {
  protectTaskOption,
  runnerWithProtection,
  wantedProtection,
  withProtection,
} from '../ecs/protect-worker.ts';
import { TaskProtection } from '../ecs/task-protection.ts';
import { exitCodes, usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { emfOption, metricsHostOption, metricsPortOption, metricsText } from '../metrics-options.ts';
import { findModule } from '../module/find.ts';
import { loadWorker } from '../module/load.ts';
import { startTelemetry } from '../start-telemetry.ts';
import { untilStopped } from '../stop.ts';
import { drainOption } from '../text/durations.ts';

/** The source of a worker's tasks: a server, or a table and its queues on AWS. */
interface TaskSource {
  readonly client: Client;
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
    .addOption(drainOption())
    .addOption(protectTaskOption())
    .addOption(metricsPortOption())
    .addOption(metricsHostOption())
    .addOption(emfOption())
    .action(async (module, options, command) => {
      const { server, output } = globals();
      const shared = selectedAwsStore(options, (flag) => {
        return command.getOptionValueSource(flag as keyof typeof options) === 'cli';
      });
      if (shared !== undefined && server.url !== undefined) {
        throw usage('--url names a server, and --engine aws needs none.', 'Leave one of them out.');
      }
      const agentUrl = wantedProtection(options.protectTask === true, process.env);
      const file = findModule(module);
      const worker = await loadWorker(file);
      const [{ systemClock }, { defaultLog }] = await Promise.all([
        import('../../platform/clock.ts'),
        import('../../platform/log.ts'),
      ]);
      const log = defaultLog();
      const clock = systemClock();
      // After the module, so that an SDK that it registers stays the process's.
      const telemetry = await startTelemetry({
        ...{ clock, log, serviceName: 'holdfast-worker', metrics: options },
      });
      const { metrics, tracing } = telemetry;
      const { client, close } =
        shared === undefined
          ? await fromServer(server, metrics)
          : await fromTable(shared, worker.queues, metrics, tracing);
      const protection =
        agentUrl === undefined ? undefined : new TaskProtection(agentAt(agentUrl, clock), clock, log);
      const running = await client.work(specOf(worker, aloneProcesses(file), protection));
      // A caller may send the signal as soon as it has read the line below.
      const stopped = untilStopped(options.drain + timing.drainEndMs);
      const types = worker.handlers.map((handler) => handler.task.name);
      output.result(
        { types, queues: worker.queues, metricsPort: metrics?.port, pid: process.pid },
        () => `working on ${types.join(', ')}${metricsText(metrics, options)}`,
      );
      try {
        const signal = await Promise.race([stopped, running.done.then(() => undefined)]);
        if (signal !== undefined) output.note(drainingText(options.drain));
        const report = await running.drain({ timeout: options.drain });
        await running.done;
        logEnd(log, signal, report);
        // The outcomes are recorded, so the worker has ended in order even if `close` takes longer than the limit.
        process.exitCode = exitCodes.ok;
      } finally {
        await Promise.all([close(), protection?.stop()]);
        await telemetry.stop();
      }
    });
}

function specOf(worker: WorkerSpec, alone: AloneRunner, protection: TaskProtection | undefined): WorkerSpec {
  if (protection === undefined) return withAloneRunner(worker, alone);
  return withAloneRunner(withProtection(worker, protection), runnerWithProtection(alone, protection));
}

function drainingText(limitMs: number): string {
  const seconds = limitMs / 1_000;
  return `draining: running tasks may finish within ${seconds} s; a second signal (Ctrl-C) ends the worker at once`;
}

function logEnd(log: Log, signal: NodeJS.Signals | undefined, report: DrainReport): void {
  const { finished, released, unanswered, stillRunning: still_running } = report;
  const isClean = unanswered === 0 && still_running === 0;
  const fields = { signal, finished, released, unanswered, still_running };
  log[isClean ? 'info' : 'warn'](fields, 'the worker has drained and ends');
}

async function fromServer(
  { url, tls }: ServerOptions,
  metrics: ProcessMetrics | undefined,
): Promise<TaskSource> {
  const [{ connectTarget, meteredConnect }, { systemClock }] = await Promise.all([
    import('../../node/metered-connect.ts'),
    import('../../platform/clock.ts'),
  ]);
  const client = meteredConnect(metrics?.worker)(url, { tls });
  if (metrics !== undefined) {
    const { certificateExpiry } = await import('../../node/metrics/sources.ts');
    const target = connectTarget(url, { tls });
    if (target.kind === 'server' && target.tls !== undefined)
      metrics.addSource(certificateExpiry('client', target.tls, systemClock()));
  }
  return { client, close: () => client.close() };
}

/** Opens a node in this process. The worker then polls SQS and writes to the table itself, without a server. */
async function fromTable(
  store: AwsStore,
  names: readonly string[],
  metrics: ProcessMetrics | undefined,
  tracing: Tracing,
): Promise<TaskSource> {
  const [{ openWorkerNode }, { inProcess }, { createClient }, platform, { defaultLog }, { hostname }] =
    await Promise.all([
      import('../../node/node.ts'),
      import('../../node/in-process.ts'),
      import('../../client/create-client.ts'),
      import('../../platform/clock.ts'),
      import('../../platform/log.ts'),
      import('node:os'),
    ]);
  const { processPresence } = await import('../../platform/presence.ts');
  const log = defaultLog();
  const queues = names.map((queue) => ({ tenant: 'default', queue }));
  const choice = { clock: platform.systemClock(), log, queues, metrics, tracing };
  const { node, clock } = await openWorkerNode(store, choice);
  const workerName = `${hostname()}/${process.pid}`;
  const transport = inProcess({ api: node.api, clock });
  const presence = processPresence();
  const own = { clock, log, workerName, presence, metrics: metrics?.worker, tracing };
  const client = createClient(transport, { ...own, beginsAtOnce: true });
  return {
    client,
    async close() {
      await client.close();
      await node.close(0);
    },
  };
}
