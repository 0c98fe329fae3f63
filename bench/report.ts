/** The figures, each said as it is found. */
import { cpus } from 'node:os';
import type { Keys } from './load.ts';

export interface Row {
  readonly row: string;
  readonly keys: Keys | '';
  readonly unit: string;
  readonly value: number;
  /** What the prototype of the whole path reached on a machine of this kind. */
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

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
