/** Main program of a worker with a node of its own: it polls SQS and writes to the table itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/create-client.ts';
import { AttemptAborted, defineWorker, handle } from '../../../src/index.ts';
import { inProcess } from '../../../src/node/in-process.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { step } from './contract.ts';
import { addressFromArguments, openNode, report } from './open-overload-node.ts';

const concurrency = 500;
const reportMs = 100;

let succeeded = 0;
let leasesLost = 0;
const work = handle(step, async ({ holdMs }, { signal }) => {
  signal.addEventListener('abort', () => {
    const { reason } = signal;
    if (reason instanceof AttemptAborted && reason.kind === 'lease-lost') leasesLost++;
  });
  if (holdMs > 0) await sleep(holdMs);
  succeeded++;
});
setInterval(() => {
  if (succeeded > 0 || leasesLost > 0) report({ kind: 'worked', succeeded, leasesLost });
  succeeded = 0;
  leasesLost = 0;
}, reportMs);

const node = await openNode(addressFromArguments(), 'worker');
const clock = systemClock();
const client = createClient(inProcess({ api: node.api, clock }), { clock, workerName: 'worker' });
await client.work(defineWorker({ handlers: [work], concurrency }));
report({ kind: 'ready' });
