/** A worker: over gRPC through the balancer, or with a node of its own, polling SQS itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/client.ts';
import { type Client, defineWorker, handle } from '../../../src/index.ts';
import { inProcess } from '../../../src/node/in-process.ts';
import { defaultLog } from '../../../src/platform/log.ts';
import { chanceOf, laneStep, longLane } from './contract.ts';
import { Ledger } from './ledger.ts';
import { clockOf, given, openClient, openNode, tell } from './open-lane-node.ts';
import type { ToChild } from './process-messages.ts';

const concurrency = 16;
const workMs = 5;
/** The long lane moves too, but hardly. */
const longWorkMs = 1_000;
const failing = 0.1;
const tellEveryMs = 500;

const { place, rest } = given();
const [name = '', over = '', ledgerPath = ''] = rest;
const clock = clockOf(place);
const ledger = new Ledger(ledgerPath);
let succeeded = 0;
let holding = 0;
let hold = false;

async function openWorkerClient(): Promise<Client> {
  if (over === 'grpc') return openClient(place, clock, name);
  // As `holdfast worker --engine aws` does: sweeping is left to the servers.
  const node = await openNode(place, clock, name, { takesPart: false });
  return createClient(inProcess({ api: node.api, clock }), { clock, log: defaultLog(), workerName: name });
}

const work = handle(laneStep, async ({ lane }, { id, fencingToken, attempt }) => {
  ledger.began(id, fencingToken, clock.now());
  if (hold) {
    tell({ kind: 'holding', attempts: ++holding });
    await new Promise(() => {});
  }
  await sleep(lane === longLane ? longWorkMs : workMs);
  const fails = chanceOf(place.seed, 'fails', id, attempt) < failing;
  ledger.ended(id, fencingToken, clock.now());
  if (fails) throw new Error('as it was to be');
  succeeded++;
});

process.on('message', (message: ToChild) => {
  if (message.kind === 'hold') hold = true;
});
setInterval(() => {
  if (succeeded > 0) tell({ kind: 'worked', succeeded });
  succeeded = 0;
}, tellEveryMs);

const client = await openWorkerClient();
await client.work(defineWorker({ handlers: [work], concurrency }));
tell({ kind: 'ready' });
process.once('SIGTERM', () => process.exit(0));
