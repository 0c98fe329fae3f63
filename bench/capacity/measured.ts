/** The measured figures from which the capacity is computed: units of DynamoDB and SQS, and processor time, for one task. */
import { readFileSync } from 'node:fs';
import type { Units } from '../cost/prices.ts';
import type { Row } from '../cost/report.ts';

interface MeasuredStorage {
  readonly payloadBytes: number;
  readonly bytesPerTask: number;
  readonly submissionBytes: number;
  readonly days: number;
}

interface MeasuredProcessor {
  readonly serverCpuMsPerTask: number;
  readonly workerCpuMsPerTask: number;
  readonly processor: string;
}

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));

/** Written by `npm run bench:cost -- --record`. */
export const cost = read('../cost/measured.json') as {
  readonly rows: readonly Row[];
  readonly storage: readonly [MeasuredStorage, MeasuredStorage];
};

/** Written by `npm run bench:cpu`. */
export const processor = read('./measured.json') as MeasuredProcessor;

const million = 1_000_000;

/** Returns the units of one operation of a row of `npm run bench:cost`. */
export function unitsOfRow(name: string): Units {
  const row = cost.rows.find((one) => one.row.trim() === name);
  if (row === undefined) throw new Error(`bench/cost/measured.json has no row '${name}'`);
  const count = row.per === 'million' ? million : 1;
  const { writes, indexWrites, refusedWrites, reads, sqsCalls } = row.units;
  return {
    writes: writes / count,
    indexWrites: indexWrites / count,
    refusedWrites: refusedWrites / count,
    reads: reads / count,
    sqsCalls: sqsCalls / count,
  };
}
