/** The worker of the measurement: it runs a filled queue empty and sends its parent the rate, in tasks a second. */
import { connect, defineWorker, handle } from '../../src/index.ts';
import { noop } from './contract.ts';
import { startSdk } from './start-sdk.ts';

const [url = '', ca = '', cert = '', key = '', queue = '', count = ''] = process.argv.slice(2);
const tasks = Number(count);
// The rate counts from a tenth of the tasks, when the worker has its full number of attempts in progress.
const warmTasks = tasks / 10;
let done = 0;
let startedMs = 0;

const finished = Promise.withResolvers<void>();
const handler = handle(noop, () => {
  done++;
  if (done === warmTasks) startedMs = performance.now();
  if (done === tasks) finished.resolve();
});

process.on('disconnect', () => process.exit(0));
const stopSdk = await startSdk('worker');
const client = connect(url, { tls: { ca, cert, key } });
const running = await client.work(defineWorker({ queues: [queue], handlers: [handler], concurrency: 256 }));
await finished.promise;
process.send?.({ rate: (tasks - warmTasks) / ((performance.now() - startedMs) / 1_000) });
await running.drain();
await client.close();
await stopSdk();
process.exit(0);
