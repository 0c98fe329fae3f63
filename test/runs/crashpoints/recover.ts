/**
 * Checks in a second process that the crash of the first process lost nothing: a worker runs until all tasks have
 * ended, then the histories of the tasks are compared with the effects of the handlers.
 */
import { isEnded } from '../../../src/core/task/head.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { type FinalTask, laneProblems, lifeProblems } from './judge.ts';
import { queue, type ScenarioDriver } from './scenario-driver.ts';
import type { Scenario } from './scenarios.ts';

const mostRounds = 8;
/**
 * The time by which a recovery round moves the clock: after it, leases have expired, hidden messages are visible again,
 * and backoffs are over.
 */
const roundMs = 40_000;
/**
 * After this time in ms the first reconcile pass, the search for tasks whose dispatch message was lost, examines the
 * submissions.
 */
const firstPassMs = 11 * 60_000;
/**
 * The number of the recovery round that has the reconcile pass. Tasks that end in an earlier round did not need this
 * pass.
 */
const reconciledRound = 2;
const farAheadMs = 400 * 86_400_000;
const never = new AbortController().signal;

/** Returns all stored tasks, with every task of each idempotency key. */
async function allTasks(driver: ScenarioDriver): Promise<readonly Snapshot[]> {
  await driver.caughtUp();
  return (await driver.service.list(queue, { limit: 100, cursor: undefined })).items;
}

/** Returns the newest task of each idempotency key in its current state. */
async function newest({ running, clock }: ScenarioDriver, { keys }: Scenario): Promise<readonly Snapshot[]> {
  const { store } = running.context;
  const found = await Promise.all(keys.map((key) => store.byKey({ ...queue, key }, clock.now())));
  return found.filter((one) => one !== undefined);
}

/** Claims and settles tasks until two claims in a row have received no task. */
async function work(driver: ScenarioDriver): Promise<void> {
  for (let emptyClaims = 0; emptyClaims < 2; ) {
    const tasks = await driver.take(10);
    emptyClaims = tasks.length === 0 ? emptyClaims + 1 : 0;
    for (const task of tasks) await driver.settle(task);
    await driver.running.settled();
  }
}

/**
 * Moves the clock, sweeps and works in rounds, one of which has a reconcile pass. Returns the number of rounds until
 * all tasks had ended.
 */
async function untilAllEnded(driver: ScenarioDriver, scenario: Scenario): Promise<number> {
  for (let round = 0; round < mostRounds; round++) {
    const tasks = await newest(driver, scenario);
    if (tasks.every(({ head }) => isEnded(head) && !head.handOver)) return round;
    await driver.move(roundMs);
    if (round === reconciledRound) {
      await driver.move(firstPassMs);
      await reconcile(driver.running.context, never);
    }
    await driver.sweep();
    await work(driver);
  }
  return mostRounds;
}

async function finalTaskOf(
  { service }: ScenarioDriver,
  { id, submission, head }: Snapshot,
): Promise<FinalTask> {
  return { key: submission.scope.key, head, events: await service.history(queue.tenant, id, 0) };
}

function endProblems(
  scenario: Scenario,
  found: readonly FinalTask[],
  acknowledged: readonly string[],
): string[] {
  const problems: string[] = [];
  for (const { key, head } of found) {
    const otherEnds = scenario.ends?.[key] ?? [];
    // A task must end as its caller was answered, such as `cancelled`. Without an answer, the task may also succeed.
    const isAcknowledged = otherEnds.some((state) => acknowledged.includes(`${key}:${state}`));
    const allowed = isAcknowledged ? otherEnds : ['succeeded', ...otherEnds];
    if (!allowed.includes(head.state)) problems.push(`${key} is ${head.state}, not ${allowed.join(' or ')}`);
  }
  return problems;
}

function missingEventProblems(found: readonly FinalTask[], acknowledged: readonly string[]): string[] {
  const happened = new Set(found.flatMap(({ key, events }) => events.map(({ kind }) => `${key}:${kind}`)));
  return acknowledged
    .filter((event) => !happened.has(event))
    .map((event) => `${event} was acknowledged but is not in the history`);
}

/** Returns a problem if a submission needed the reconcile pass although it was acknowledged. */
function lateProblems(
  { keys, generations = 1 }: Scenario,
  acknowledged: readonly string[],
  rounds: number,
): string[] {
  const countOf = (key: string): number =>
    acknowledged.filter((event) => event === `${key}:submitted`).length;
  const all = keys.every((key) => countOf(key) >= generations);
  return all && rounds > reconciledRound ? ['an acknowledged task needed the reconcile pass'] : [];
}

function countProblems({ keys, generations = 1 }: Scenario, found: readonly FinalTask[]): string[] {
  return keys.flatMap((key) => {
    const count = found.filter((one) => one.key === key).length;
    return count === generations ? [] : [`${key} has ${count} tasks, not ${generations}`];
  });
}

/**
 * Returns the problems that ended tasks left in the store and the queues: entries in the index of due tasks, tasks that
 * still hold a place in the lane, damaged histories and dispatch messages.
 */
async function residueProblems(
  driver: ScenarioDriver,
  { lane }: Scenario,
  tasks: readonly Snapshot[],
): Promise<string[]> {
  const { store } = driver.running.context;
  const problems: string[] = [];
  for (let shard = 0; shard < store.dueShards; shard++) {
    const { entries } = await store.due(shard, driver.clock.now() + farAheadMs, 10);
    for (const { id } of entries) problems.push(`${id} has ended and still has a due entry`);
  }
  if (lane !== undefined) {
    const lowest = await store.lowest({ ...queue, orderingKey: lane });
    if (lowest !== undefined) problems.push(`${lowest.id} has ended and still has its pointer in the lane`);
  }
  for (const { id } of tasks) {
    const verified = await store.verify?.(id, driver.clock.now());
    if (verified === undefined) problems.push(`${id} cannot be verified`);
    else if (verified.fault !== undefined) {
      problems.push(
        `the history of ${id} is damaged: event ${verified.fault.event} is ${verified.fault.kind}`,
      );
    }
  }
  await driver.move(roundMs);
  const received = await driver.take(10);
  if (received.length > 0) problems.push(`${received[0]?.key} was given to a worker after its end`);
  return problems;
}

export async function recover(
  driver: ScenarioDriver,
  scenario: Scenario,
  acknowledged: string[],
): Promise<{ problems: readonly string[]; rounds: number }> {
  await driver.warmUp();
  for (const { id, submission } of await newest(driver, scenario)) driver.ids.set(submission.scope.key, id);
  const rounds = await untilAllEnded(driver, scenario);
  const problems = lateProblems(scenario, acknowledged, rounds);
  const unended = (await newest(driver, scenario)).filter(({ head }) => !isEnded(head));
  problems.push(
    ...unended.map(
      ({ submission }) => `${submission.scope.key} has not ended before the caller repeats its call`,
    ),
  );
  await scenario.again?.(driver);
  await untilAllEnded(driver, scenario);
  const tasks = await allTasks(driver);
  const found = await Promise.all(tasks.map((task) => finalTaskOf(driver, task)));
  problems.push(...found.flatMap(lifeProblems), ...countProblems(scenario, found));
  problems.push(...endProblems(scenario, found, acknowledged), ...missingEventProblems(found, acknowledged));
  if (scenario.lane !== undefined) {
    const inOrder = scenario.keys.map((key) => found.find((one) => one.key === key));
    problems.push(...laneProblems(inOrder.filter((one) => one !== undefined)));
  }
  problems.push(...(await residueProblems(driver, scenario, tasks)));
  return { problems, rounds };
}
