/**
 * Main program of a worker. It gets its tasks over gRPC through the load balancer, or polls SQS with a node of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/create-client.ts';
import { type Client, defineWorker, handle } from '../../../src/index.ts';
import { inProcess } from '../../../src/node/in-process.ts';
import { defaultLog } from '../../../src/platform/log.ts';
import { chanceOf, laneStep, longLane } from './contract.ts';
import { Ledger } from './ledger.ts';
import { clockOf, openClient, openNode, processArguments, report } from './open-lane-node.ts';
import type { LaneCommand } from './process-messages.ts';

const concurrency = 16;
const workMs = 5;
/** The duration of a task of the long lane, so long that most of the lane waits. */
const longWorkMs = 1_000;
const failing = 0.1;
const reportEveryMs = 500;

const { address, rest } = processArguments();
const [name = '', over = '', ledgerPath = ''] = rest;
const clock = clockOf(address);
const ledger = new Ledger(ledgerPath);
let succeeded = 0;
let holding = 0;
let hold = false;

async function openWorkerClient(): Promise<Client> {
  if (over === 'grpc') return openClient(address, clock, name);
  // The worker's node does not sweep, like the node of `holdfast worker --engine aws`: the API nodes sweep.
  const node = await openNode(address, clock, name, { takesPart: false });
  return createClient(inProcess({ api: node.api, clock }), { clock, log: defaultLog(), workerName: name });
}

const work = handle(laneStep, async ({ lane }, { id, fencingToken, attempt }) => {
  ledger.began(id, fencingToken, clock.now());
  if (hold) {
    report({ kind: 'holding', attempts: ++holding });
    await new Promise(() => {});
  }
  await sleep(lane === longLane ? longWorkMs : workMs);
  const fails = chanceOf(address.seed, 'fails', id, attempt) < failing;
  ledger.ended(id, fencingToken, clock.now());
  if (fails) throw new Error('planned');
  succeeded++;
});

process.on('message', (command: LaneCommand) => {
  if (command.kind === 'hold') hold = true;
});
setInterval(() => {
  if (succeeded > 0) report({ kind: 'worked', succeeded });
  succeeded = 0;
}, reportEveryMs);

const client = await openWorkerClient();
await client.work(defineWorker({ handlers: [work], concurrency }));
report({ kind: 'ready' });
process.once('SIGTERM', () => process.exit(0));
