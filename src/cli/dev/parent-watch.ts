/** A worker must not outlive `holdfast dev`, not even one whose handler never gives the thread back. */
import { Worker } from 'node:worker_threads';

const lookEveryMs = 1_000;

/** On a thread of its own, since an endless loop on the main one never hears that its parent is gone. */
const look = `
const { workerData: { parent, everyMs } } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, everyMs);
`;

export function endWithParent(): void {
  process.on('disconnect', () => process.exit(1));
  const thread = new Worker(look, {
    eval: true,
    execArgv: [],
    workerData: { parent: process.ppid, everyMs: lookEveryMs },
  });
  thread.unref();
}
