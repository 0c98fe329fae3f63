/**
 * Main program of the worker's process of `holdfast dev`. A handler that crashes or loops ends this process, not the
 * server.
 */
import { hostname } from 'node:os';
import { withAloneRunner } from '../../client/worker/run-alone.ts';
import { asHoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { connect, type RunningWorker } from '../../index.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import { aloneProcesses } from '../alone/alone-process.ts';
import { endWithParent } from '../end-with-parent.ts';
import { exitCodes } from '../exit-codes.ts';
import { killAfter } from '../kill-after.ts';
import { loadWorker } from '../module/load.ts';
import { type RunningTelemetry, startTelemetry } from '../start-telemetry.ts';
import { fingerprintOf } from './file-watch.ts';
import { watchImports } from './watch-imports.ts';
import type { WorkerCommand, WorkerReport } from './worker-process.ts';

const file = process.argv[2] as string;
let lastLoaded = file;
let running: RunningWorker | undefined;
let telemetry: RunningTelemetry | undefined;

function report(message: WorkerReport): void {
  if (process.connected) process.send?.(message);
}

function fail(thrown: unknown): void {
  const { message, help = '' } = asHoldfastError(thrown);
  const failure: WorkerReport = { kind: 'failed', message, help };
  if (process.connected) process.send?.(failure, () => process.exit(1));
  else process.exit(1);
}

async function drain(limitMs: number): Promise<void> {
  await running?.drain({ timeout: `${limitMs}ms` }).catch(() => {});
  await telemetry?.stop();
  process.exit(0);
}

process.on('message', (command: WorkerCommand) => {
  if (command.kind === 'drain') void drain(command.limitMs);
  else report({ kind: 'pong' });
});
// Ctrl-C sends SIGINT to the whole process group. This process ignores it, because its parent then sends it `drain`.
process.on('SIGINT', () => {});
let isTerminating = false;
process.on('SIGTERM', () => {
  if (isTerminating) process.exit(exitCodes.interrupted);
  isTerminating = true;
  killAfter(timing.drainMs + timing.drainEndMs);
  void drain(timing.drainMs);
});
endWithParent();
watchImports((loaded) => {
  lastLoaded = loaded;
  report({ kind: 'loads', file: loaded, fingerprint: fingerprintOf(loaded) });
});

try {
  const worker = await loadWorker(file, () => lastLoaded);
  // After the module, so that an SDK that it registers stays the process's.
  telemetry = await startTelemetry({
    ...{ clock: systemClock(), log: defaultLog(), serviceName: 'holdfast-worker' },
  });
  running = await connect().work(withAloneRunner(worker, aloneProcesses(file)));
  const handled = worker.handlers.map(({ task }) => ({ type: task.name, queue: task.contract.queue }));
  const name = worker.name ?? `${hostname()}/${process.pid}`;
  report({ kind: 'working', handled, queues: worker.queues, name });
  await running.done;
} catch (thrown) {
  fail(thrown);
}
