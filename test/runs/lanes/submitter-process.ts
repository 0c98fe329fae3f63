/** A submitter: its share of every lane in small bursts at a steady pace, each after the one before in its lane. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, SubmittedTask } from '../../../src/index.ts';
import { chanceOf, laneStep, longLane, type Step } from './contract.ts';
import { clockOf, given, openClient, tell } from './open-lane-node.ts';
import type { Acknowledged, SubmitterTask, ToChild } from './process-messages.ts';

const burstMax = 3;
/** Two whole transactions. */
const longBurst = 98;
const lookMs = 20;

const { place, rest } = given();
const [name = ''] = rest;
const clock = clockOf(place);
const client = openClient(place, clock, name);

/** All bursts, in an order by seed; those of one lane in theirs. */
function burstsOf({ lanes, tasksPerLane, submitter }: SubmitterTask): Step[][] {
  const bursts: { readonly at: number; readonly steps: Step[] }[] = [];
  for (const lane of lanes) {
    for (let number = 0; number < tasksPerLane; ) {
      const drawn = 1 + Math.floor(burstMax * chanceOf(place.seed, 'burst', lane, submitter, number));
      const length = Math.min(tasksPerLane - number, lane === longLane ? longBurst : drawn);
      const steps = Array.from({ length }, (_, i): Step => ({ lane, submitter, number: number + i }));
      bursts.push({ at: number + length * chanceOf(place.seed, 'order', lane, submitter, number), steps });
      number += length;
    }
  }
  return bursts.sort((a, b) => a.at - b.at).map(({ steps }) => steps);
}

let succeeded = 0;
let cancelled = 0;

async function cancel(task: SubmittedTask<unknown>): Promise<void> {
  try {
    await task.cancel('as it was to be');
    cancelled++;
  } catch (thrown) {
    // It had ended before.
    if ((thrown as { reason?: string }).reason !== 'TASK_ENDED') throw thrown;
  }
}

async function submit(client: Client, steps: readonly Step[], cancelling: number): Promise<void> {
  const sentAtMs = clock.now();
  const outcomes = await client.submitMany(
    laneStep,
    steps.map((input) => ({ input })),
  );
  const acknowledgedAtMs = clock.now();
  const tasks: Acknowledged[] = [];
  const cancels: Promise<void>[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    const { lane, submitter, number } = steps[i] as Step;
    if (!outcome.ok) throw outcome.error;
    tasks.push({ id: outcome.task.id, lane, sentAtMs, acknowledgedAtMs });
    if (chanceOf(place.seed, 'cancel', lane, submitter, number) < cancelling)
      cancels.push(cancel(outcome.task));
  }
  tell({ kind: 'acknowledged', tasks });
  await Promise.all(cancels);
}

async function submitAll(task: SubmitterTask): Promise<void> {
  const beganAtMs = performance.now();
  const before = new Map<string, Promise<void>>();
  let sent = 0;
  for (const steps of burstsOf(task)) {
    const lane = steps[0]?.lane ?? '';
    const aheadMs = (sent / task.perSecond) * 1_000 - (performance.now() - beganAtMs);
    if (aheadMs > 0) await sleep(aheadMs);
    while (sent - cancelled - succeeded * task.share > task.window) await sleep(lookMs);
    const chain = (before.get(lane) ?? Promise.resolve()).then(() => submit(client, steps, task.cancelled));
    chain.catch((error: Error) => tell({ kind: 'failed', message: error.message }));
    before.set(lane, chain);
    sent += steps.length;
  }
  await Promise.all(before.values());
  tell({ kind: 'submitted' });
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'submit') void submitAll(message.task);
  else if (message.kind === 'succeeded') succeeded = message.count;
});
process.once('SIGTERM', () => process.exit(0));
tell({ kind: 'ready' });
