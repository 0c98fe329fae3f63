/** The numbers that a run of `npm run chaos` ends with, and the lines that print them. */
import { judge } from './judge.ts';
import type { RunOutcome } from './run.ts';

const keys = ['lost', 'doubled', 'overwritten', 'outOfOrder', 'stuck'] as const;
const named = 6;

export interface Report {
  readonly acknowledged: number;
  readonly counts: Readonly<Record<(typeof keys)[number], number>>;
  /** True if nothing was found, something was acknowledged, and the run had no problems of its own. */
  readonly isGood: boolean;
  readonly lines: readonly string[];
}

export function reportOf({ evidence, problems, swallowedBytes }: RunOutcome): Report {
  const { repeats, ...faults } = judge(evidence);
  const { tasks, calls, acknowledged } = evidence;
  const ids = new Set(acknowledged.map(({ id }) => id));
  /** A task with several faults of one kind counts once. */
  const count = (key: (typeof keys)[number]): number => new Set(faults[key].map(({ id }) => id)).size;
  const counts = {
    lost: count('lost'),
    doubled: count('doubled'),
    overwritten: count('overwritten'),
    outOfOrder: count('outOfOrder'),
    stuck: count('stuck'),
  };
  const events = tasks.flatMap((task) => task.events);
  const ofKind = (kind: string): number => events.filter((event) => event.kind === kind).length;
  const byWorker = Map.groupBy(calls, ({ process }) => process.split(':')[0] ?? '');
  const begun = [...byWorker].map(([name, own]) => `${name} ${own.length}`).toSorted();
  const inLanes = new Set(acknowledged.filter(({ lane }) => lane !== '').map(({ id }) => id)).size;
  const lines = [
    `${ids.size} tasks acknowledged, ${inLanes} of them in lanes; ${calls.length} handlers began: ${begun.join(', ')}`,
    `${ofKind('leaseExpired')} leases expired, ${ofKind('claimReleased')} claims released, ${Math.round(swallowedBytes / 1_024)} KiB of answers lost`,
    `legal repetitions: ${repeats.afterLostLease} handlers began again after a lost lease, ${repeats.late} of a lost lease went on beside a later one`,
    ...keys.flatMap((key) => faults[key].slice(0, named).map(({ id, text }) => `${key}: ${id} ${text}`)),
    ...problems.map((problem) => `problem: ${problem}`),
  ];
  const isGood = keys.every((key) => counts[key] === 0) && problems.length === 0 && ids.size > 0;
  return { acknowledged: ids.size, counts, isGood, lines };
}
