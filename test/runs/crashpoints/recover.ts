/** A fresh process brings everything to its end, then looks at what came of it. */
import { isEnded } from '../../../src/core/task/head.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { type Found, laneProblems, lifeProblems } from './judge.ts';
import type { Scenario } from './scenarios.ts';
import { queue, type Stage } from './stage.ts';

const mostRounds = 8;
/** Leases are spent by then, hidden bells are back, backoffs over. */
const roundMs = 40_000;
/** By then the reconciler's first look comes to what was submitted. */
const firstLookMs = 11 * 60_000;
/** In this round, so that what needs no reconciler is seen to need none. */
const reconciledRound = 2;
const farAheadMs = 400 * 86_400_000;
const never = new AbortController().signal;

/** All acceptances of all keys. */
async function everything(stage: Stage): Promise<readonly Snapshot[]> {
  await stage.caughtUp();
  return (await stage.service.list(queue, { limit: 100, cursor: undefined })).items;
}

/** The newest acceptance of each key, as it is at this moment. */
async function newest({ running, clock }: Stage, { keys }: Scenario): Promise<readonly Snapshot[]> {
  const { store } = running.context;
  const found = await Promise.all(keys.map((key) => store.byKey({ ...queue, key }, clock.now())));
  return found.filter((one) => one !== undefined);
}

/** Works off whatever is heard. */
async function work(stage: Stage): Promise<void> {
  for (let silent = 0; silent < 2; ) {
    const tasks = await stage.take(10);
    silent = tasks.length === 0 ? silent + 1 : 0;
    for (const task of tasks) await stage.settle(task);
    await stage.running.settled();
  }
}

/** Sweeps, works, and looks once as the reconciler, with the clock moved on before each. How many rounds it took. */
async function toTheEnd(stage: Stage, scenario: Scenario): Promise<number> {
  for (let round = 0; round < mostRounds; round++) {
    const tasks = await newest(stage, scenario);
    if (tasks.every(({ head }) => isEnded(head) && !head.handOver)) return round;
    await stage.move(roundMs);
    if (round === reconciledRound) {
      await stage.move(firstLookMs);
      await reconcile(stage.running.context, never);
    }
    await stage.sweep();
    await work(stage);
  }
  return mostRounds;
}

async function foundOf({ service }: Stage, { id, submission, head }: Snapshot): Promise<Found> {
  return { key: submission.scope.key, head, events: await service.history(queue.tenant, id, 0) };
}

function ended(scenario: Scenario, found: readonly Found[], promised: readonly string[]): string[] {
  const problems: string[] = [];
  for (const { key, head } of found) {
    const own = scenario.ends?.[key] ?? [];
    // What was promised must be; what was not may be.
    const must = own.some((state) => promised.includes(`${key}:${state}`));
    const may = must ? own : ['succeeded', ...own];
    if (!may.includes(head.state)) problems.push(`${key} is ${head.state}, not ${may.join(' or ')}`);
  }
  return problems;
}

function kept(found: readonly Found[], promised: readonly string[]): string[] {
  const happened = new Set(found.flatMap(({ key, events }) => events.map(({ kind }) => `${key}:${kind}`)));
  return promised.filter((what) => !happened.has(what)).map((what) => `${what} was promised and is not so`);
}

/** Only a submission that nobody was told of may wait for the reconciler. */
function late({ keys, generations = 1 }: Scenario, promised: readonly string[], rounds: number): string[] {
  const acknowledged = (key: string): number => promised.filter((what) => what === `${key}:submitted`).length;
  const all = keys.every((key) => acknowledged(key) >= generations);
  return all && rounds > reconciledRound ? ['what was acknowledged needed the reconciler'] : [];
}

function counted({ keys, generations = 1 }: Scenario, found: readonly Found[]): string[] {
  return keys.flatMap((key) => {
    const count = found.filter((one) => one.key === key).length;
    return count === generations ? [] : [`${key} is there ${count} times, not ${generations}`];
  });
}

/** What was left behind that nobody needs any more: due entries, places in the lane, bells. */
async function leftovers(stage: Stage, { lane }: Scenario, tasks: readonly Snapshot[]): Promise<string[]> {
  const { store } = stage.running.context;
  const problems: string[] = [];
  for (let shard = 0; shard < store.dueShards; shard++) {
    const { entries } = await store.due(shard, stage.clock.now() + farAheadMs, 10);
    for (const { id } of entries) problems.push(`${id} has ended and is still due`);
  }
  if (lane !== undefined) {
    const lowest = await store.lowest({ ...queue, orderingKey: lane });
    if (lowest !== undefined) problems.push(`${lowest.id} has ended and still has its place`);
  }
  for (const { id } of tasks) {
    const verified = await store.verify?.(id, stage.clock.now());
    if (verified === undefined) problems.push(`${id} cannot be verified`);
    else if (verified.fault !== undefined) {
      problems.push(`${id} is not whole: event ${verified.fault.event} is ${verified.fault.kind}`);
    }
  }
  await stage.move(roundMs);
  const received = await stage.take(10);
  if (received.length > 0) problems.push(`${received[0]?.key} was given to a worker after its end`);
  return problems;
}

export async function recover(
  stage: Stage,
  scenario: Scenario,
  promised: string[],
): Promise<{ problems: readonly string[]; rounds: number }> {
  await stage.warmUp();
  for (const { id, submission } of await newest(stage, scenario)) stage.ids.set(submission.scope.key, id);
  const rounds = await toTheEnd(stage, scenario);
  const problems = late(scenario, promised, rounds);
  const unanswered = (await newest(stage, scenario)).filter(({ head }) => !isEnded(head));
  problems.push(
    ...unanswered.map(({ submission }) => `${submission.scope.key} is stuck before it is asked again`),
  );
  await scenario.again?.(stage);
  await toTheEnd(stage, scenario);
  const tasks = await everything(stage);
  const found = await Promise.all(tasks.map((task) => foundOf(stage, task)));
  problems.push(...found.flatMap(lifeProblems), ...counted(scenario, found));
  problems.push(...ended(scenario, found, promised), ...kept(found, promised));
  if (scenario.lane !== undefined) {
    const inOrder = scenario.keys.map((key) => found.find((one) => one.key === key));
    problems.push(...laneProblems(inOrder.filter((one) => one !== undefined)));
  }
  problems.push(...(await leftovers(stage, scenario, tasks)));
  return { problems, rounds };
}
