/**
 * Runs the seeds of a long simulation in threads, a few at a time in each, as many threads as there are processors. A
 * thread ends after its seeds. That frees what the processes still hold that were killed in its simulated clusters: their
 * abort listeners never end, so nothing else would free it.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Violation } from './checks/violation.ts';
import type { SeedRun } from './run-seed.ts';

const seedsPerThread = 50;

/** The report of one seed. `failure` is its error as text; undefined if the run succeeded. */
export interface SeedReport extends Pick<SeedRun, 'seed' | 'steps' | 'faults' | 'events'> {
  readonly failure: string | undefined;
}

interface SeedRange {
  readonly first: number;
  readonly count: number;
}

function textOf(failure: unknown): string {
  if (failure instanceof Violation) return failure.message;
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}

function runInThread(range: SeedRange, onReport: (report: SeedReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: range });
    let reports = 0;
    thread.on('message', (report: SeedReport) => {
      reports++;
      onReport(report);
    });
    thread.on('error', reject);
    thread.on('exit', (code) => {
      if (reports === range.count) resolve();
      else reject(new Error(`a thread ended with status ${code} after ${reports} of ${range.count} seeds`));
    });
  });
}

/** Runs `count` seeds from `first` on. Calls `onReport` for each one, in the order in which they end. */
export async function runSeeds(
  first: number,
  count: number,
  onReport: (report: SeedReport) => void,
): Promise<void> {
  const end = first + count;
  let next = first;
  const runRanges = async (): Promise<void> => {
    while (next < end) {
      const range = { first: next, count: Math.min(seedsPerThread, end - next) };
      next += range.count;
      await runInThread(range, onReport);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runRanges));
}

if (!isMainThread && parentPort !== null) {
  const { first, count }: SeedRange = workerData;
  const { runSeed } = await import('./run-seed.ts');
  for (let seed = first; seed < first + count; seed++) {
    const { steps, faults, events, failure } = await runSeed(seed);
    const text = failure === undefined ? undefined : textOf(failure);
    parentPort.postMessage({ seed, steps, faults, events, failure: text } satisfies SeedReport);
  }
}
