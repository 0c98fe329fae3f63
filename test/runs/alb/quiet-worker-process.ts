/** Main program of the quiet worker: it runs few long tasks, so that nothing passes its connection for seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, defineWorker, handle } from '../../../src/index.ts';
import { ledgersVariable, long } from '../deploys/contract.ts';
import { Ledger } from '../deploys/ledger.ts';
import { quietQueue, quietSlots } from './quiet.ts';

const ledger = new Ledger(process.env[ledgersVariable] ?? '', process.pid);
const client = connect();
const worker = defineWorker({
  handlers: [
    handle(long, async ({ ms }, { id, fencingToken, attempt, signal }) => {
      ledger.began(id, fencingToken, attempt, Date.now());
      await sleep(ms, undefined, { signal }).catch(() => {});
      ledger.ended(id, fencingToken, signal.aborted ? 'aborted' : 'well', Date.now());
      signal.throwIfAborted();
    }),
  ],
  queues: [quietQueue],
  concurrency: quietSlots,
});
const running = await client.work(worker);
process.once('SIGTERM', async () => {
  await running.drain({ timeout: '25s' });
  await client.close();
});
console.log(JSON.stringify({ pid: process.pid }));
await running.done;
