import { Worker } from 'node:worker_threads';

const checkParentEveryMs = 1_000;

/** The source code of a thread that kills this process once its parent process is gone. */
const parentWatch = `
const { workerData: { parent, everyMs } } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, everyMs);
`;

/**
 * Ends this process when its parent process is gone, with which it has an IPC channel. The check runs on a thread of its
 * own: an endless loop in a handler blocks the main thread, and its `disconnect` event would never be handled.
 */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(1));
  const thread = new Worker(parentWatch, {
    eval: true,
    execArgv: [],
    workerData: { parent: process.ppid, everyMs: checkParentEveryMs },
  });
  thread.unref();
}
