import type { Units } from './prices.ts';
import { usd } from './prices.ts';

export interface Row {
  readonly row: string;
  /** What a row is a million of; an idle hour is one. */
  readonly per: 'million' | 'hour';
  readonly units: Units;
  readonly usd: number;
}

const million = 1_000_000;
const columns = ['write units', 'of indexes', 'refused', 'read units', 'SQS calls'] as const;

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** The table, a line at a time as it is found. */
export class CostReport {
  readonly rows: Row[] = [];
  readonly #quiet: boolean;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  say(line = ''): void {
    if (!this.#quiet) console.log(line);
  }

  head(what: string): void {
    const names = columns.map((name) => name.padStart(11)).join('');
    this.say(`\n${what.padEnd(66)}${names}${'$'.padStart(10)}`);
  }

  #add(row: string, per: Row['per'], units: Units, dollars: number): void {
    this.rows.push({ row, per, units, usd: dollars });
    const { writes, indexWrites, refusedWrites, reads, sqsCalls } = units;
    const numbers = [writes, indexWrites, refusedWrites, reads, sqsCalls];
    const text = numbers.map((value) => count(value).padStart(11)).join('');
    this.say(`${row.padEnd(66)}${text}${dollars.toFixed(per === 'hour' ? 4 : 2).padStart(10)}`);
  }

  /** `units`: of one. */
  million(row: string, units: Units): void {
    const all: Units = {
      writes: units.writes * million,
      indexWrites: units.indexWrites * million,
      refusedWrites: units.refusedWrites * million,
      reads: units.reads * million,
      sqsCalls: units.sqsCalls * million,
    };
    this.#add(row, 'million', all, usd(all));
  }

  hour(row: string, units: Units): void {
    this.#add(row, 'hour', units, usd(units));
  }
}
