import { timing } from '../../../core/limits.ts';

const atFirst = 8;
const most = 192;
/** Prefetched work should be begun within this. */
const aheadMs = 1_000;
const weight = 0.1;
const adaptEveryMs = 100;
/** A handler that takes less than this is not told apart from one that takes nothing. */
const shortestMs = 0.05;

/** How many tasks to hold beyond those that run: at most what gets done within 1 s, 192 at most, 8 until measured. */
export class Prefetch {
  readonly #concurrency: number;
  #averageMs: number | undefined;
  #adaptedAtMs = Number.NEGATIVE_INFINITY;
  #tasks: number;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
    this.#tasks = Math.min(atFirst, concurrency);
  }

  get tasks(): number {
    return this.#tasks;
  }

  /** An attempt took so long. True: there may be another number now. */
  took(ms: number, nowMs: number): boolean {
    const known = this.#averageMs ?? ms;
    this.#averageMs = known + weight * (ms - known);
    if (nowMs - this.#adaptedAtMs < adaptEveryMs) return false;
    this.#adaptedAtMs = nowMs;
    const done = (this.#concurrency * aheadMs) / Math.max(this.#averageMs, shortestMs);
    this.#tasks = Math.min(most, Math.floor(done));
    return true;
  }

  /** Prefetched tasks waited too long to be begun: something hangs that is not measured yet. */
  waitedTooLong(): void {
    this.#tasks = Math.floor(this.#tasks / 2);
    this.#averageMs = Math.max(this.#averageMs ?? 0, timing.prefetchStartMs);
  }
}
