/** The most tasks that a worker prefetches. */
export const maxPrefetch = 192;
/** Prefetched tasks should start within this time. */
const aheadMs = 1_000;
const adaptEveryMs = 100;
const intervals = aheadMs / adaptEveryMs;
/**
 * The shortest average duration of attempts from which the prefetch is computed; a lower value would make the prefetch
 * unlimited.
 */
const shortestMs = 0.05;

/**
 * The number of tasks that a worker prefetches beyond those that run: as many as begin within a second, at most 192. It is
 * the number of attempts that ended in the last second, but at most as many as all slots together can run in a second if
 * each takes the average time of these attempts. While all slots are taken and every attempt has run for longer than that
 * average, the age of the youngest attempt is used instead of the average. Until one second after the first begin, the
 * number is at least the initial one. All times are monotonic.
 */
export class Prefetch {
  readonly #slots: number;
  readonly #initialTasks: number;
  readonly #most: number;
  /** How many attempts ended in each of the last intervals of 100 ms, and how long they took in all. */
  readonly #ended = new Array<number>(intervals).fill(0);
  readonly #durationsMs = new Array<number>(intervals).fill(0);
  #endedCount = 0;
  #durationMs = 0;
  /** The number of the newest interval, counted from the start of the monotonic clock. */
  #interval = 0;
  #running = 0;
  #firstBegunAtMs: number | undefined;
  #lastBegunAtMs = 0;
  #tasks: number;

  constructor(slots: number, initialTasks: number, most: number = maxPrefetch) {
    this.#slots = slots;
    this.#most = most;
    this.#initialTasks = initialTasks;
    this.#tasks = initialTasks;
  }

  get tasks(): number {
    return this.#tasks;
  }

  /** Records that an attempt begins. */
  begun(nowMs: number): void {
    this.#firstBegunAtMs ??= nowMs;
    this.#lastBegunAtMs = nowMs;
    this.#running++;
  }

  /**
   * Records that an attempt has ended after `durationMs`. Returns true if the number of tasks to prefetch has grown.
   */
  ended(durationMs: number, nowMs: number): boolean {
    const before = this.#tasks;
    this.#running--;
    this.adapt(nowMs);
    const at = this.#interval % intervals;
    this.#ended[at] = (this.#ended[at] ?? 0) + 1;
    this.#durationsMs[at] = (this.#durationsMs[at] ?? 0) + durationMs;
    this.#endedCount++;
    this.#durationMs += durationMs;
    // After an idle time the number doubles with each round of tasks, without a wait for the next interval.
    if (this.#endedCount > 2 * this.#tasks) this.#tasks = Math.max(this.#tasks, this.#measure(nowMs));
    return this.#tasks > before;
  }

  /**
   * Adapts the number to the attempts that ended lately, at most once in 100 ms. A number that is only a little smaller
   * is not adopted, because each change of a worker's credit costs messages.
   */
  adapt(nowMs: number): void {
    const interval = Math.floor(nowMs / adaptEveryMs);
    if (interval === this.#interval) return;
    for (let i = Math.max(this.#interval + 1, interval - intervals + 1); i <= interval; i++) {
      const at = i % intervals;
      this.#endedCount -= this.#ended[at] ?? 0;
      this.#durationMs -= this.#durationsMs[at] ?? 0;
      this.#ended[at] = 0;
      this.#durationsMs[at] = 0;
    }
    this.#interval = interval;
    const tasks = this.#measure(nowMs);
    if (tasks > this.#tasks || tasks <= 0.75 * this.#tasks) this.#tasks = tasks;
  }

  #measure(nowMs: number): number {
    const isNew = this.#firstBegunAtMs === undefined || nowMs < this.#firstBegunAtMs + aheadMs;
    if (this.#most === 0) return 0;
    const least = isNew ? this.#initialTasks : 0;
    if (this.#endedCount === 0) return least;
    const areAllTaken = this.#running >= this.#slots;
    const youngestMs = areAllTaken ? nowMs - this.#lastBegunAtMs : 0;
    const durationMs = Math.max(this.#durationMs / this.#endedCount, youngestMs, shortestMs);
    const tasks = Math.min(maxPrefetch, this.#endedCount, Math.floor((this.#slots * aheadMs) / durationMs));
    return Math.max(tasks, least);
  }
}
