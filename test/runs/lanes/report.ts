/** The numbers that a run of `npm run lanes` ends with, and the lines that print them. */
import { longLane } from './contract.ts';
import { judge, type TaskRecord } from './judge.ts';
import { quantile, startLatencies } from './latency.ts';
import type { RunOutcome } from './run.ts';

export interface Report {
  /** The number of lanes other than the long lane. */
  readonly lanes: number;
  readonly tasks: number;
  readonly outOfOrder: number;
  readonly overlapping: number;
  /**
   * The sum of three counts: tasks that have not ended, lanes that are not empty, and attempts that are in the history
   * of no task.
   */
  readonly left: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lines: readonly string[];
}

const named = 5;

function ends(tasks: readonly TaskRecord[], kind: string): number {
  return tasks.filter(({ events }) => events.some((event) => event.kind === kind)).length;
}

function count(tasks: readonly TaskRecord[], kind: string): number {
  return tasks.reduce((sum, { events }) => sum + events.filter((event) => event.kind === kind).length, 0);
}

function examples(problem: string, ids: readonly string[]): string[] {
  return ids.length === 0 ? [] : [`${ids.length} ${problem}, such as ${ids.slice(0, named).join(', ')}`];
}

export function reportOf(run: RunOutcome): Report {
  const judgement = judge(run);
  const [long, tasks] = [
    run.tasks.filter((task) => task.lane === longLane),
    run.tasks.filter((task) => task.lane !== longLane),
  ];
  const unended = tasks.filter((task) => task.endedAtMs === undefined);
  const latencies = startLatencies(tasks);
  const [p50Ms, p99Ms] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  const attempts = count(tasks, 'claimed');
  const failed = count(tasks, 'failed');
  const lines = [
    ...(long.length === 0
      ? []
      : [
          `${long.length} waited in the long lane, accepted in ${run.longSeconds.toFixed(1)} s (${Math.round(long.length / run.longSeconds)}/s); ${ends(long, 'succeeded')} of them succeeded in that time`,
        ]),
    `${tasks.length} tasks in ${run.seconds.toFixed(1)} s (${(tasks.length / run.seconds).toFixed(0)}/s): ${ends(tasks, 'succeeded')} succeeded, ${ends(tasks, 'cancelled')} cancelled, ${ends(tasks, 'died')} dead`,
    `${attempts} attempts, ${failed} failed, ${count(tasks, 'leaseExpired')} leases expired, ${count(tasks, 'claimReleased')} claims released; the killed worker held ${run.heldAtKill}`,
    `start latency ${p50Ms} ms at the median, ${p99Ms} ms at p99, ${latencies.at(-1) ?? 0} ms at most`,
    ...examples('started before their turn', judgement.startedEarly),
    ...examples('ahead of a task that was acknowledged before they were sent', judgement.committedEarly),
    ...examples('overlapping', judgement.overlapping),
    ...examples('begun under a lease that is in no history', judgement.strays),
    ...examples(
      'without an end',
      unended.map((task) => task.id),
    ),
    ...examples('lanes without a finished hand-over', run.openLanes),
  ];
  return {
    lanes: new Set(tasks.map((task) => task.lane)).size,
    tasks: tasks.length,
    outOfOrder: judgement.startedEarly.length + judgement.committedEarly.length,
    overlapping: judgement.overlapping.length,
    left: unended.length + run.openLanes.length + judgement.strays.length,
    p50Ms,
    p99Ms,
    lines,
  };
}

export function printReport({ lines }: Report): void {
  for (const line of lines) console.log(`  ${line}`);
}
