/** The worker of `npm run deploys`, as a module for `holdfast worker` and for a program of the SDK. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttemptContext, defineWorker, handle } from '../../../src/index.ts';
import { ledgersVariable, long, once, queues, short, single, slots, type Work } from './contract.ts';
import { Ledger } from './ledger.ts';

const ledger = new Ledger(process.env[ledgersVariable] ?? '', process.pid);

async function run({ ms, fails, exits }: Work, { id, fencingToken, attempt, signal }: AttemptContext) {
  ledger.began(id, fencingToken, attempt, Date.now());
  if (exits) process.exit(1);
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    ledger.ended(id, fencingToken, 'aborted', Date.now());
    throw signal.reason;
  }
  const failsNow = fails && attempt === 1;
  ledger.ended(id, fencingToken, failsNow ? 'failed' : 'well', Date.now());
  if (failsNow) throw new Error('planned');
}

export default defineWorker({
  handlers: [
    handle(short, run),
    handle(long, run),
    handle(single, run, { concurrency: 1 }),
    handle(once, run),
  ],
  queues,
  concurrency: slots,
});
