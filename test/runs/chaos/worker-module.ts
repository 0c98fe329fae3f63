/** The worker of `npm run chaos`, as a module for `holdfast worker` and for a program of the SDK. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttemptContext, defineWorker, FatalError, handle, Snooze } from '../../../src/index.ts';
import {
  chaosTask,
  inputHash,
  queues,
  resultHash,
  slots,
  snoozes,
  type Work,
  type WorkResult,
} from './contract.ts';
import { Ledger } from './ledger.ts';

const ledger = new Ledger();

async function run(work: Work, context: AttemptContext): Promise<WorkResult> {
  const { id, fencingToken, attempt, signal } = context;
  const hash = inputHash(work);
  ledger.began(id, fencingToken, attempt, context.idempotencyKey, hash);
  try {
    await sleep(work.ms, undefined, { signal });
  } catch {
    ledger.ended(id, fencingToken, 'aborted');
    throw signal.reason;
  }
  if (work.plan === 'fatal') {
    ledger.ended(id, fencingToken, 'fatal');
    throw new FatalError('planned');
  }
  if (work.plan === 'once' && attempt === 1) {
    ledger.ended(id, fencingToken, 'failed');
    throw new Error('planned');
  }
  if (snoozes(work.plan, fencingToken)) {
    ledger.ended(id, fencingToken, 'snoozed');
    throw new Snooze('500ms');
  }
  const result = { key: work.key, fencingToken, by: ledger.process, inputHash: hash };
  ledger.ended(id, fencingToken, 'well', resultHash(result));
  return result;
}

export default defineWorker({ handlers: [handle(chaosTask, run)], queues, concurrency: slots });
