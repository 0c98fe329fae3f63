/** The numbers that a run of `npm run deploys` ends with, and the lines that print them. */
import { gapsOf } from './gaps.ts';
import { type Fault, judge } from './judge.ts';
import type { RunOutcome } from './run.ts';

/** The longest time without work that an orderly restart may cause. */
export const mostGapMs = 3_000;
const named = 4;

export interface Counts {
  readonly lost: number;
  readonly innocentsDead: number;
  readonly attemptsNotBegun: number;
  readonly leasesLost: number;
  readonly begunAfterRecall: number;
}

export interface Report {
  readonly tasks: number;
  readonly counts: Counts;
  /** The longest gap of the orderly phases. */
  readonly longestGapMs: number;
  /** True if all counts are 0, the longest gap is in bounds and the run had no problems of its own. */
  readonly isGood: boolean;
  readonly lines: readonly string[];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const pad = (cell: string, i: number): string =>
    i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(pad).join('  '));
}

const sizes = (faults: Readonly<Record<keyof Counts, readonly Fault[]>>): Counts => ({
  lost: faults.lost.length,
  innocentsDead: faults.innocentsDead.length,
  attemptsNotBegun: faults.attemptsNotBegun.length,
  leasesLost: faults.leasesLost.length,
  begunAfterRecall: faults.begunAfterRecall.length,
});

function examples(title: string, faults: readonly Fault[]): string[] {
  return faults.slice(0, named).map(({ id, text }) => `${title}: ${id} ${text}`);
}

/** Returns how many tasks a wave recalled, and how many workers were on the node that answered. */
function recalled({ recalls }: RunOutcome, byPause: boolean): string {
  const own = recalls.filter(({ untilMs }) => Number.isFinite(untilMs) === byPause);
  const what = byPause ? 'tasks of the paused queue' : 'cancellations answered';
  return `${own.length} ${what}, ${own[0]?.near.size ?? 0} workers on the same node`;
}

export function reportOf(outcome: RunOutcome): Report {
  const { phases, tasks, calls, problems, acknowledged } = outcome;
  const { begunTwice, lostAtBegin, poisonFault, ...faults } = judge(outcome);
  const counts = sizes(faults);
  const gaps = gapsOf(outcome);
  const rows = phases.map(({ name, isOrderly, fromMs, untilMs }) => {
    const isIn = ({ atMs }: { atMs: number }): boolean => atMs >= fromMs && atMs < untilMs;
    const own = gaps.filter((gap) => isIn({ atMs: gap.fromMs }));
    const gapMs = Math.round(Math.max(0, ...own.map((gap) => gap.untilMs - gap.fromMs)));
    const begun = calls.filter(({ beganAtMs }) => isIn({ atMs: beganAtMs })).length;
    const of = (key: keyof Counts): number => faults[key].filter(isIn).length;
    return { name, isOrderly, seconds: (untilMs - fromMs) / 1_000, begun, gapMs, of };
  });
  const longestGapMs = Math.max(0, ...rows.filter((row) => row.isOrderly).map(({ gapMs }) => gapMs));
  const keys = Object.keys(counts) as (keyof Counts)[];
  const events = tasks.flatMap((task) => task.events);
  const expired = events.filter((event) => event.kind === 'leaseExpired');
  const released = events.filter((event) => event.kind === 'claimReleased').length;
  const others = [...problems, ...(poisonFault === undefined ? [] : [`the poison ${poisonFault}`])];
  const lines = [
    ...table([
      ['phase', 'seconds', 'begun', 'longest gap', ...keys],
      ...rows.map(({ name, isOrderly, seconds, begun, gapMs, of }) => [
        name,
        seconds.toFixed(1),
        String(begun),
        `${gapMs} ms${isOrderly ? '' : ' '}`,
        ...keys.map((key) => String(of(key))),
      ]),
      ['all', ...['', '', ''], ...keys.map((key) => String(counts[key]))],
    ]),
    `${acknowledged.length} tasks, ${calls.length} handlers called, ${released} claims released, ${expired.length} leases expired, ${expired.filter((event) => event.countsAsLoss).length} of them as losses`,
    `the longest stop of a server took ${Math.round(outcome.longestServerStopMs)} ms, of a worker ${Math.round(outcome.longestWorkerStopMs)} ms`,
    `${lostAtBegin.length} tasks that may begin once died with a worker that ended between the stored report of their beginning and the call of their handler`,
    ...examples('lost at begin', lostAtBegin),
    `${recalled(outcome, true)}; ${recalled(outcome, false)}`,
    ...keys.flatMap((key) => examples(key, faults[key])),
    ...examples('begun twice', begunTwice),
    ...others.map((problem) => `problem: ${problem}`),
  ];
  const isClean = keys.every((key) => counts[key] === 0) && begunTwice.length === 0 && others.length === 0;
  return {
    tasks: acknowledged.length,
    counts,
    longestGapMs,
    isGood: isClean && longestGapMs <= mostGapMs && acknowledged.length > 0,
    lines,
  };
}
