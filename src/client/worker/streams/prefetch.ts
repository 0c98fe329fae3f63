import { timing } from '../../../core/limits.ts';

const initialTasks = 8;
const maxTasks = 192;
/** Prefetched tasks should start within this time. */
const aheadMs = 1_000;
const averageWeight = 0.1;
const adaptEveryMs = 100;
/**
 * The shortest average duration of attempts from which the prefetch is computed; a lower value would make the prefetch
 * unlimited.
 */
const shortestMs = 0.05;

/**
 * The number of tasks that a worker prefetches beyond those that run: as many as it can finish within 1 s by the
 * average duration of its attempts, at most 192. It starts with 8, or with the concurrency if that is lower.
 */
export class Prefetch {
  readonly #concurrency: number;
  #averageMs: number | undefined;
  #adaptedAtMs = Number.NEGATIVE_INFINITY;
  #tasks: number;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
    this.#tasks = Math.min(initialTasks, concurrency);
  }

  get tasks(): number {
    return this.#tasks;
  }

  /**
   * Records the duration of an attempt. Returns true if the number of tasks to prefetch was computed again and may have
   * changed.
   */
  recordDuration(ms: number, nowMs: number): boolean {
    const averageMs = this.#averageMs ?? ms;
    this.#averageMs = averageMs + averageWeight * (ms - averageMs);
    if (nowMs - this.#adaptedAtMs < adaptEveryMs) return false;
    this.#adaptedAtMs = nowMs;
    const done = (this.#concurrency * aheadMs) / Math.max(this.#averageMs, shortestMs);
    this.#tasks = Math.min(maxTasks, Math.floor(done));
    return true;
  }

  /**
   * Halves the number of tasks to prefetch: tasks waited too long for a slot, so the running attempts take longer than
   * the average says.
   */
  recordStale(): void {
    this.#tasks = Math.floor(this.#tasks / 2);
    this.#averageMs = Math.max(this.#averageMs ?? 0, timing.prefetchStartMs);
  }
}
