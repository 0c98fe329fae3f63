/**
 * Main program of the worker's process of `holdfast dev`. A handler that crashes or loops ends this process, not the
 * server.
 */
import { Worker } from 'node:worker_threads';
import { asHoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { connect, type RunningWorker } from '../../index.ts';
import { exitCodes } from '../exit-codes.ts';
import { killAfter } from '../kill-after.ts';
import { loadWorker } from '../module/load.ts';
import { fingerprintOf } from './file-watch.ts';
import { watchImports } from './watch-imports.ts';
import type { WorkerCommand, WorkerReport } from './worker-process.ts';

const checkParentEveryMs = 1_000;

/** The source code of a thread that kills this process once its parent process is gone. */
const parentWatch = `
const { workerData: { parent, everyMs } } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, everyMs);
`;

/**
 * Ends this process when `holdfast dev` is gone. The check runs on a thread of its own: an endless loop in a handler
 * blocks the main thread, and its `disconnect` event would never be handled.
 */
function endWithParent(): void {
  process.on('disconnect', () => process.exit(1));
  const thread = new Worker(parentWatch, {
    eval: true,
    execArgv: [],
    workerData: { parent: process.ppid, everyMs: checkParentEveryMs },
  });
  thread.unref();
}

const file = process.argv[2] as string;
let lastLoaded = file;
let running: RunningWorker | undefined;

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
  running = await connect().work(worker);
  const types = worker.handlers.map(({ task }) => task.name);
  report({ kind: 'working', types, queues: worker.queues });
  await running.done;
} catch (thrown) {
  fail(thrown);
}
