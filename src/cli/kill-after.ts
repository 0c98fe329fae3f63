import { Worker } from 'node:worker_threads';

/** The source code of a thread that kills this process at a time of the clock that all threads share. */
const killer = `
const { workerData: { atMs } } = require('node:worker_threads');
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.max(0, atMs - nowMs()));
`;

/**
 * Kills this process after `ms`, unless it ends before. It does so from a thread of its own: the main thread may be
 * blocked by a handler with an endless loop, and then it runs neither timers nor listeners of signals.
 */
export function killAfter(ms: number): void {
  const atMs = Number(process.hrtime.bigint()) / 1e6 + ms;
  const thread = new Worker(killer, { eval: true, execArgv: [], workerData: { atMs } });
  // Without the thread, the process still ends by its own timers.
  thread.on('error', () => {});
  thread.unref();
}
