/** Prints the rows of `npm run bench -- --scale`, each as soon as it is measured, and collects them for `--json`. */
import { cpus } from 'node:os';

export interface ScaleRow {
  readonly row: string;
  readonly unit: string;
  readonly value: number;
  /** The value that the row should have: at least, or at most if it begins with ≤. Absent for a figure without a target. */
  readonly target: string;
}

export class ScaleReport {
  readonly #rows: ScaleRow[] = [];
  readonly #quiet: boolean;

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  add(row: string, unit: string, measured: number, target = ''): void {
    const value = Number(measured.toPrecision(4));
    this.#rows.push({ row, unit, value, target });
    if (!this.#quiet)
      console.log(`${row.padEnd(56)} ${String(value).padStart(10)} ${unit.padEnd(4)} ${target}`);
  }

  json(): string {
    return JSON.stringify({ machine: `${cpus().length} × ${cpus()[0]?.model ?? ''}`, rows: this.#rows });
  }
}

/** Returns the value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
