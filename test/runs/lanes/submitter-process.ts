/**
 * Main program of a submitter. It submits its share of every lane in small bursts, each after the previous burst of the
 * same lane.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, SubmittedTask } from '../../../src/index.ts';
import { chanceOf, laneStep, longLane, type Step } from './contract.ts';
import { clockOf, openClient, processArguments, report } from './open-lane-node.ts';
import type { Acknowledgement, LaneCommand, SubmitterPlan } from './process-messages.ts';

const burstMax = 3;
/** The number of tasks of a burst in the long lane, which fill two transactions. */
const longBurst = 98;
const checkEveryMs = 20;

const { address, rest } = processArguments();
const [name = ''] = rest;
const clock = clockOf(address);
const client = openClient(address, clock, name);

/**
 * Returns all bursts of tasks of a submitter in an order that the seed decides. The bursts of one lane keep their
 * order.
 */
function burstsOf({ lanes, tasksPerLane, submitter }: SubmitterPlan): Step[][] {
  const bursts: { readonly at: number; readonly steps: Step[] }[] = [];
  for (const lane of lanes) {
    for (let number = 0; number < tasksPerLane; ) {
      const drawn = 1 + Math.floor(burstMax * chanceOf(address.seed, 'burst', lane, submitter, number));
      const length = Math.min(tasksPerLane - number, lane === longLane ? longBurst : drawn);
      const steps = Array.from({ length }, (_, i): Step => ({ lane, submitter, number: number + i }));
      bursts.push({ at: number + length * chanceOf(address.seed, 'order', lane, submitter, number), steps });
      number += length;
    }
  }
  return bursts.sort((a, b) => a.at - b.at).map(({ steps }) => steps);
}

let succeeded = 0;
let cancelled = 0;

async function cancel(task: SubmittedTask<unknown>): Promise<void> {
  try {
    await task.cancel('planned');
    cancelled++;
  } catch (thrown) {
    // A task that has ended before its cancellation is no failure.
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
  const tasks: Acknowledgement[] = [];
  const cancels: Promise<void>[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    const { lane, submitter, number } = steps[i] as Step;
    if (!outcome.ok) throw outcome.error;
    tasks.push({ id: outcome.task.id, lane, sentAtMs, acknowledgedAtMs });
    if (chanceOf(address.seed, 'cancel', lane, submitter, number) < cancelling)
      cancels.push(cancel(outcome.task));
  }
  report({ kind: 'acknowledged', tasks });
  await Promise.all(cancels);
}

async function submitAll(plan: SubmitterPlan): Promise<void> {
  const beganAtMs = performance.now();
  const before = new Map<string, Promise<void>>();
  let sent = 0;
  for (const steps of burstsOf(plan)) {
    const lane = steps[0]?.lane ?? '';
    const aheadMs = (sent / plan.perSecond) * 1_000 - (performance.now() - beganAtMs);
    if (aheadMs > 0) await sleep(aheadMs);
    while (sent - cancelled - succeeded * plan.share > plan.window) await sleep(checkEveryMs);
    const chain = (before.get(lane) ?? Promise.resolve()).then(() => submit(client, steps, plan.cancelled));
    chain.catch((error: Error) => report({ kind: 'failed', message: error.message }));
    before.set(lane, chain);
    sent += steps.length;
  }
  await Promise.all(before.values());
  report({ kind: 'submitted' });
}

process.on('message', (command: LaneCommand) => {
  if (command.kind === 'submit') void submitAll(command.plan);
  else if (command.kind === 'succeeded') succeeded = command.count;
});
process.once('SIGTERM', () => process.exit(0));
report({ kind: 'ready' });
