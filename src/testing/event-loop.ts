/**
 * Turns of Node's event loop and short real waits, by means that no library for fake timers replaces: a test may fake
 * `setImmediate`, `setTimeout`, `Date` and `performance` before it imports the kit.
 */
import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';

const waiting: (() => void)[] = [];
const { port1: receiver, port2: sender } = new MessageChannel();
receiver.on('message', () => {
  const run = waiting.shift();
  if (waiting.length === 0) receiver.unref();
  run?.();
});
receiver.unref();

/** Calls `run` in a later turn of the event loop, after the input of this turn was read. */
export function inNextTurn(run: () => void): void {
  waiting.push(run);
  receiver.ref();
  sender.postMessage(undefined);
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Waits for `ms` of real time or a little longer, and lets everything happen that disks, networks and other processes
 * have done by then.
 */
export function realWait(ms: number): Promise<void> {
  Atomics.wait(cell, 0, 0, ms);
  // Messages follow each other without a look at other input; the end of work in another thread is such input itself.
  return new Promise((resolve) => randomBytes(1, () => resolve()));
}
