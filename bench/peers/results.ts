/** Turns the rounds of all peers into medians, and compares Holdfast with the best synced task queue in each row. */
import { median } from '../report.ts';
import type { Peer } from './peer.ts';
import { type RowName, rowUnits, type Values } from './rounds.ts';

export interface Measured {
  readonly peer: Peer;
  readonly rounds: readonly Values[];
}

export interface ComparedRow {
  readonly row: RowName;
  readonly unit: string;
  readonly holdfast: number | null;
  /** The median of the best task queue beside Holdfast that syncs before its answer. */
  readonly bestSyncedPeer: number | null;
  readonly peer: string | null;
  /** Above 1 if Holdfast is better. */
  readonly ratio: number | null;
}

export const rowNames = Object.keys(rowUnits) as readonly RowName[];

/** Returns the median of a row; undefined if the row was not measured. */
export function medianOf({ rounds }: Measured, row: RowName): number | undefined {
  const values = rounds.flatMap((round) => round.get(row) ?? []);
  return values.length === 0 ? undefined : median(values);
}

/** Returns how many times better `one` is than `other`. */
export function ratioOf(row: RowName, one: number, other: number): number {
  return rowUnits[row] === '/s' ? one / other : other / one;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

export function compareRows(all: readonly Measured[]): readonly ComparedRow[] {
  const ours = all.find(({ peer }) => peer.name === 'holdfast');
  const synced = all.filter(({ peer }) => peer.isSynced && peer.kind === 'queue' && peer.name !== 'holdfast');
  return rowNames.flatMap((row): ComparedRow[] => {
    const holdfast = ours && medianOf(ours, row);
    const others = synced.flatMap((one) => {
      const value = medianOf(one, row);
      return value === undefined ? [] : [{ name: one.peer.name, value }];
    });
    if (holdfast === undefined && others.length === 0) return [];
    const [best] = others.sort((a, b) => ratioOf(row, b.value, a.value) - 1 || 0);
    const ratio =
      holdfast === undefined || best === undefined ? null : rounded(ratioOf(row, holdfast, best.value));
    return [
      {
        ...{ row, unit: rowUnits[row], holdfast: holdfast === undefined ? null : rounded(holdfast) },
        ...{
          bestSyncedPeer: best === undefined ? null : rounded(best.value),
          peer: best?.name ?? null,
          ratio,
        },
      },
    ];
  });
}

function textOf(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

/** Returns the medians of all peers, a peer a line. */
export function mediansText(all: readonly Measured[]): string {
  const head = ['', 'synced', 'settled when', ...rowNames.map((_, i) => `(${i + 1})`)];
  const lines = all.map((one) => [
    ...[one.peer.name, one.peer.isSynced ? 'yes' : 'no', one.peer.settlement],
    ...rowNames.map((row) => textOf(medianOf(one, row))),
  ]);
  const legend = rowNames.map((row, i) => `(${i + 1}) ${row}, ${rowUnits[row]}`);
  return [table([head, ...lines]), ...legend].join('\n');
}

/** Returns how many times better Holdfast is than each peer, a peer a line. */
export function ratiosText(all: readonly Measured[]): string {
  const ours = all.find(({ peer }) => peer.name === 'holdfast');
  if (ours === undefined) return '';
  const lines = all.flatMap((one) => {
    if (one === ours) return [];
    const ratios = rowNames.map((row) => {
      const [mine, theirs] = [medianOf(ours, row), medianOf(one, row)];
      return mine === undefined || theirs === undefined ? '–' : ratioOf(row, mine, theirs).toFixed(2);
    });
    return [[one.peer.name, ...ratios]];
  });
  return table([['Holdfast beside', ...rowNames.map((_, i) => `(${i + 1})`)], ...lines]);
}
