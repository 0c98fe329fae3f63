/** The process of `holdfast dev`'s worker: what goes wrong in a handler goes wrong here and not in the server. */

import { asHoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { connect, type Running } from '../../index.ts';
import { loadWorker } from '../module/load.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { endWithParent } from './parent-watch.ts';
import { printOf } from './print.ts';
import { watchLoads } from './watch-imports.ts';

const file = process.argv[2] as string;
let lastLoaded = file;
let running: Running | undefined;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

function fail(thrown: unknown): void {
  const { message, help = '' } = asHoldfastError(thrown);
  const told: FromWorker = { kind: 'failed', message, help };
  if (process.connected) process.send?.(told, () => process.exit(1));
  else process.exit(1);
}

async function drain(limitMs: number): Promise<void> {
  await running?.drain({ timeout: `${limitMs}ms` }).catch(() => {});
  process.exit(0);
}

process.on('message', (message: ToWorker) => {
  if (message.kind === 'drain') void drain(message.limitMs);
  else tell({ kind: 'awake' });
});
// Ctrl-C reaches the whole group: the parent is asked by it too, and asks this process to drain in its turn.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => void drain(timing.drainMs));
endWithParent();
watchLoads((loaded) => {
  lastLoaded = loaded;
  tell({ kind: 'uses', file: loaded, print: printOf(loaded) });
});

try {
  const worker = await loadWorker(file, () => lastLoaded);
  running = await connect().work(worker);
  const types = worker.handlers.map(({ task }) => task.name);
  tell({ kind: 'working', types, queues: worker.queues });
  await running.done;
} catch (thrown) {
  fail(thrown);
}
