/** Prints the results of the benchmark, each as soon as it is measured, and collects them for `--json`. */
import { cpus } from 'node:os';
import type { Keys } from './load.ts';

export interface Row {
  readonly row: string;
  readonly keys: Keys | '';
  readonly unit: string;
  readonly value: number;
  /**
   * The value that the prototype of Holdfast reached on a machine of the same kind; null if it was not
   * measured there.
   */
  readonly prototype: number | null;
}

export class Report {
  readonly #rows: Row[] = [];
  readonly #quiet: boolean;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  add(row: string, keys: Row['keys'], unit: string, measured: number, prototype: number | null): void {
    const value = Number(measured.toPrecision(4));
    this.#rows.push({ row, keys, unit, value, prototype });
    if (this.#quiet) return;
    const beside = prototype === null ? '' : `prototype ${prototype}`;
    console.log(
      `${row.padEnd(44)} ${keys.padEnd(8)} ${String(value).padStart(10)} ${unit.padEnd(6)} ${beside}`,
    );
  }

  json(): string {
    return JSON.stringify({ machine: `${cpus().length} × ${cpus()[0]?.model ?? ''}`, rows: this.#rows });
  }
}

/** Returns the median; of an even number of values the higher one of the middle two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
