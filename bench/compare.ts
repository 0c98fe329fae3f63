/** Compares the benchmark results of two commits by their medians, beyond the spread of the rounds. */
import { median, type Row } from './report.ts';
import { targetOf } from './targets.ts';

/** The rows that one run of the benchmark printed. */
export type Run = readonly Row[];

export interface Comparison {
  readonly row: string;
  readonly keys: Row['keys'];
  readonly unit: string;
  /**
   * The medians over the rounds of the benchmark: `here` of the working tree, `there` of the commit that the
   * working tree is compared with.
   */
  readonly here: number;
  readonly there: number;
  /** The fraction by which this tree is slower or costlier: 0.05 is 5 %. It is negative if this tree is faster. */
  readonly slower: number;
  /** The larger spread of the two commits over their rounds: (highest − lowest) / median. */
  readonly spread: number;
  /** True if `slower` is more than the spread and the tolerance together. */
  readonly isSlower: boolean;
  /** `here` beside `there`, or the inverse where less is better: above 1 this tree is better. */
  readonly ratio: number;
  /** The ratio that the row should reach; undefined if it has none. */
  readonly target: number | undefined;
}

/** The fraction by which a row may be slower beyond its spread before it counts as slower. */
export const tolerance = 0.03;

/**
 * The values that one benchmark run printed, by the names of their rows. An indented row belongs to the row
 * above it, whose name is put before its own.
 */
function valuesByName(run: Run): Map<string, number> {
  const values = new Map<string, number>();
  let parent = '';
  for (const { row, keys, value } of run) {
    if (!row.startsWith(' ')) parent = `${row}/${keys}`;
    values.set(`${parent}/${row}/${keys}`, value);
  }
  return values;
}

/**
 * Returns the fraction by which `here` is slower than `there`. A rate (unit `/s`) is slower if it is lower; times, bytes,
 * syncs and memory are slower if they are higher.
 */
function slownessOf(unit: string, here: number, there: number): number {
  if (here === there) return 0;
  return unit === '/s' ? there / here - 1 : here / there - 1;
}

function spreadOf(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle;
}

/** Compares the benchmark rows that both commits have and returns them in the order of this tree's rows. */
export function compare(here: readonly Run[], there: readonly Run[]): readonly Comparison[] {
  const ours = here.map(valuesByName);
  const theirs = there.map(valuesByName);
  const valuesOf = (runs: readonly Map<string, number>[], name: string): number[] =>
    runs.flatMap((values) => values.get(name) ?? []);
  const names = [...(ours[0]?.keys() ?? [])];
  let parent = '';
  return (here[0] ?? []).flatMap(({ row, keys, unit }, i) => {
    if (!row.startsWith(' ')) parent = `${row}/${keys}`;
    const name = names[i] ?? '';
    const hereValues = valuesOf(ours, name);
    const thereValues = valuesOf(theirs, name);
    if (thereValues.length === 0) return [];
    const [hereMedian, thereMedian] = [median(hereValues), median(thereValues)];
    const slower = slownessOf(unit, hereMedian, thereMedian);
    const spread = Math.max(spreadOf(hereValues), spreadOf(thereValues));
    const isSlower = slower > tolerance + spread;
    const ratio = hereMedian === thereMedian ? 1 : 1 / (1 + slower);
    const target = targetOf({ row, keys }, parent, thereMedian);
    return [
      { row, keys, unit, here: hereMedian, there: thereMedian, slower, spread, isSlower, ratio, target },
    ];
  });
}

const percent = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(1)} %`;

export function textOf(comparisons: readonly Comparison[]): string {
  const head = ['row', 'keys', 'here', 'there', 'unit', 'ratio', 'target', 'slower', 'spread', ''];
  const lines = comparisons.map(
    ({ row, keys, unit, here, there, ratio, target, slower, spread, isSlower }) => [
      row,
      keys,
      String(here),
      String(there),
      unit,
      ratio.toFixed(2),
      target === undefined ? '' : target.toFixed(2),
      percent(slower),
      `${(spread * 100).toFixed(1)} %`,
      isSlower ? 'SLOWER' : '',
    ],
  );
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => (line[i] ?? '').length)));
  const isText = (i: number): boolean => i < 2 || i === 4 || i === head.length - 1;
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Returns the comparison as one JSON object: `base` is the value of the other commit, `target` null without one. */
export function jsonOf(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ row, keys, unit, here, there, ratio, target = null }) => ({
    ...{ row, keys, unit, value: here, base: there },
    ...{ ratio: Number(ratio.toFixed(3)), target: target === null ? null : Number(target.toFixed(3)) },
  }));
  return JSON.stringify({ rows });
}
