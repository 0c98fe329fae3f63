/**
 * Main program of the submitter: it keeps a number of tasks unfinished, so that there is always work for the workers.
 * It reports each acknowledged task to the run, which keeps the ledger of acknowledgements.
 */
import { connect } from '../../../src/index.ts';
import { plannedTask } from './contract.ts';
import type { SubmitterCommand, SubmitterReport } from './process-messages.ts';

const [seed = 1, mostUnfinished = 0, mostPerS = 0] = process.argv.slice(2).map(Number);
const tickMs = 50;

const client = connect(undefined, { retryFor: '3m' });
const report = (message: SubmitterReport): void => void process.send?.(message);
let offered = 0;
let ended = 0;
let unanswered = 0;
let stopped = false;
let ids: string[] = [];

function offer(): void {
  const { task, work, queue } = plannedTask(seed, `load-${offered++}`);
  unanswered++;
  client
    .submit(task, work, { queue })
    .then(
      ({ id }) => void ids.push(id),
      (error: Error) => report({ kind: 'failed', message: error.message }),
    )
    .finally(() => void unanswered--);
}

const timer = setInterval(() => {
  const wanted = Math.min(mostUnfinished - (offered - ended), Math.ceil((mostPerS * tickMs) / 1_000));
  for (let i = 0; i < wanted && !stopped; i++) offer();
  if (ids.length > 0) report({ kind: 'acknowledged', ids });
  ids = [];
  if (!stopped || unanswered > 0) return;
  clearInterval(timer);
  report({ kind: 'stopped' });
}, tickMs);
process.on('message', (command: SubmitterCommand) => {
  if (command.kind === 'ended') ended = command.count;
  else stopped = true;
});
console.log(JSON.stringify({ pid: process.pid }));
