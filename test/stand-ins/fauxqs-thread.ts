// Runs fauxqs, a stand-in for SQS, in a worker thread in which Date.now and long timers follow the time that the test
// sets.
import { parentPort, workerData } from 'node:worker_threads';

const { time } = workerData as { readonly time: SharedArrayBuffer };
const cell = new BigInt64Array(time);
const realNow = Date.now;
const realTimeout = globalThis.setTimeout;

const sharedMs = (): number => Number(Atomics.load(cell, 0));
Date.now = () => sharedMs() || realNow();

/** Timers of at least this length, such as the timers of long polls, follow the time that the test sets. */
const longMs = 1_000;
const pollMs = 5;
globalThis.setTimeout = Object.assign((run: () => void, ms = 0, ...rest: unknown[]) => {
  if (sharedMs() === 0 || ms < longMs) return realTimeout(run, ms, ...(rest as []));
  const endMs = Date.now() + ms;
  const timer = setInterval(() => {
    if (Date.now() < endMs) return;
    clearInterval(timer);
    run();
  }, pollMs);
  return timer;
}, realTimeout) as typeof setTimeout;

interface Fifo {
  readonly fifoMessages: Map<string, { readonly sequenceNumber: string }[]>;
  processTimers(): void;
  dequeueFifo(...args: unknown[]): unknown[];
}

// fauxqs puts a message that becomes visible again behind all others. SQS promises no order between groups, but
// delivers roughly in the order of sending, so the message groups are kept sorted here.
const store = (await import(new URL('sqs/sqsStore.js', import.meta.resolve('fauxqs')).href)) as {
  readonly SqsQueue: { readonly prototype: Fifo };
};
const { prototype } = store.SqsQueue;
const dequeue = prototype.dequeueFifo;
prototype.dequeueFifo = function (this: Fifo, ...args) {
  this.processTimers();
  const sequence = ([, messages]: [string, { readonly sequenceNumber: string }[]]): string =>
    messages[0]?.sequenceNumber ?? '';
  const groups = [...this.fifoMessages];
  if (groups.some((group, i) => i > 0 && sequence(group) < sequence(groups[i - 1] ?? group))) {
    this.fifoMessages.clear();
    groups.sort((a, b) => (sequence(a) < sequence(b) ? -1 : 1));
    for (const [name, messages] of groups) this.fifoMessages.set(name, messages);
  }
  return dequeue.apply(this, args);
};

const { buildApp } = await import('fauxqs');
const app = buildApp({ logger: false });
await app.listen({ port: 0, host: '127.0.0.1' });
const address = app.server.address();
parentPort?.on('message', async () => {
  await app.close();
  parentPort?.close();
});
parentPort?.postMessage(typeof address === 'object' && address !== null ? address.port : 0);
