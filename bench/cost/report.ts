import type { Units } from './prices.ts';
import { usd } from './prices.ts';

export interface Row {
  readonly row: string;
  /** The unit of the row: a million operations, or one hour. */
  readonly per: 'million' | 'hour';
  readonly units: Units;
  readonly usd: number;
}

const million = 1_000_000;
const columns = ['write units', 'of indexes', 'refused', 'read units', 'SQS calls'] as const;

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Prints the table of costs line by line as it is measured, and collects its rows. */
export class CostReport {
  readonly rows: Row[] = [];
  readonly #quiet: boolean;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  print(line = ''): void {
    if (!this.#quiet) console.log(line);
  }

  printHeader(title: string): void {
    const names = columns.map((name) => name.padStart(11)).join('');
    this.print(`\n${title.padEnd(66)}${names}${'$'.padStart(10)}`);
  }

  #add(row: string, per: Row['per'], units: Units, dollars: number): void {
    this.rows.push({ row, per, units, usd: dollars });
    const { writes, indexWrites, refusedWrites, reads, sqsCalls } = units;
    const numbers = [writes, indexWrites, refusedWrites, reads, sqsCalls];
    const text = numbers.map((value) => count(value).padStart(11)).join('');
    this.print(`${row.padEnd(66)}${text}${dollars.toFixed(per === 'hour' ? 4 : 2).padStart(10)}`);
  }

  /** Adds a row for a million operations; `units` is the consumption of one operation. */
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

  /** Adds a row for one hour; `units` is the consumption of that hour. */
  hour(row: string, units: Units): void {
    this.#add(row, 'hour', units, usd(units));
  }
}
