/**
 * Main program of a submitter that is written with the SDK: it submits at a steady rate and notes each acknowledgement in
 * its ledger. At SIGTERM it submits nothing new, and ends when each of its submissions is answered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../../src/index.ts';
import { chaosTask, inputHash, laneQueue, nameVariable, plannedWork, queue, type Work } from './contract.ts';
import { Ledger } from './ledger.ts';

const [seed = 1, perS = 10, lanes = 0] = process.argv.slice(2).map(Number);
/** Keys of an earlier process of this name must not be used again. */
const name = `${process.env[nameVariable]}-${process.pid}`;
const tickMs = 100;
/** The largest number of submissions without an answer: while no server answers, nothing more is submitted. */
const mostUnanswered = 400;
/** One submission of so many is sent a second time, which must give the same task. */
const repeatEvery = 20;
const lanePauseMs = { least: 200, most: 1_200 } as const;

const client = connect(undefined, { retryFor: '10m' });
const ledger = new Ledger();
let number = 0;
let unanswered = 0;
let stopped = false;

async function submit(work: Work): Promise<void> {
  const { key, lane, seq } = work;
  const options = lane === '' ? { queue } : { queue: laneQueue, orderingKey: lane };
  const { id } = await client.submit(chaosTask, work, options);
  ledger.acknowledged(key, id, inputHash(work), lane, seq);
}

async function offer(): Promise<void> {
  const own = number++;
  const work = plannedWork(seed, name, own);
  unanswered++;
  await submit(work);
  if (own % repeatEvery === 0) await submit(work);
  unanswered--;
}

/** Submits the tasks of one lane, each after the acknowledgement of the one before. */
async function runLane(lane: string): Promise<void> {
  for (let seq = 0; !stopped; seq++) {
    await submit(plannedWork(seed, name, number++, lane, seq));
    const { least, most } = lanePauseMs;
    await sleep(least + Math.random() * (most - least));
  }
}

async function runSteady(): Promise<void> {
  const running: Promise<void>[] = [];
  let due = 0;
  while (!stopped) {
    due += (perS * tickMs) / 1_000;
    for (; due >= 1 && unanswered < mostUnanswered; due--) running.push(offer());
    due %= 1;
    await sleep(tickMs);
  }
  await Promise.all(running);
}

process.once('SIGTERM', () => {
  stopped = true;
});
console.log(JSON.stringify({ pid: process.pid }));
await Promise.all([runSteady(), ...Array.from({ length: lanes }, (_, i) => runLane(`${name}-lane-${i}`))]);
await client.close();
// The run ends this process by SIGKILL if its channel to the run keeps it alive.
process.exit(0);
