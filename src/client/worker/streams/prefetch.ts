/** The most tasks that a worker prefetches. */
export const maxPrefetch = 192;
/** Prefetched tasks should start within this time: the number of tasks that begin in it is measured. */
const aheadMs = 1_000;
const adaptEveryMs = 100;
const buckets = aheadMs / adaptEveryMs;

/**
 * The number of tasks that a worker prefetches beyond those that run: as many as began within the last second, at most
 * 192. While all slots are taken and the youngest attempt is older than attempts were on average, the number shrinks
 * with its age, because no task can begin. Until one second after the first begin, the number is at least the initial
 * one. All times are monotonic.
 */
export class Prefetch {
  readonly #slots: number;
  readonly #initialTasks: number;
  /** How many tasks began in each of the last intervals of 100 ms. The newest interval is the one with `#interval`. */
  readonly #begun = new Array<number>(buckets).fill(0);
  #begunCount = 0;
  /** The number of the newest interval, counted from the start of the monotonic clock. */
  #interval = 0;
  #running = 0;
  #firstBegunAtMs: number | undefined;
  #lastBegunAtMs = 0;
  #tasks: number;

  constructor(slots: number, initialTasks: number) {
    this.#slots = slots;
    this.#initialTasks = initialTasks;
    this.#tasks = initialTasks;
  }

  get tasks(): number {
    return this.#tasks;
  }

  /** True if no task began in the last second, as far as `adapt` has looked. */
  get isIdle(): boolean {
    return this.#begunCount === 0 && this.#tasks === 0;
  }

  /** Records that an attempt begins. Returns true if the number of tasks to prefetch has grown. */
  begun(nowMs: number): boolean {
    const before = this.#tasks;
    this.#firstBegunAtMs ??= nowMs;
    this.#lastBegunAtMs = nowMs;
    this.#running++;
    this.adapt(nowMs);
    this.#begun[this.#interval % buckets] = (this.#begun[this.#interval % buckets] ?? 0) + 1;
    this.#begunCount++;
    // After an idle time the number doubles with each round of tasks, without a wait for the next interval.
    if (this.#begunCount > 2 * this.#tasks) this.#tasks = this.#measure(nowMs);
    return this.#tasks > before;
  }

  ended(): void {
    this.#running--;
  }

  /**
   * Adapts the number to the tasks that began lately, at most once in 100 ms. A number that is only a little smaller is
   * not adopted, because each change of a worker's credit costs messages.
   */
  adapt(nowMs: number): void {
    const interval = Math.floor(nowMs / adaptEveryMs);
    if (interval === this.#interval) return;
    for (let i = Math.max(this.#interval + 1, interval - buckets + 1); i <= interval; i++) {
      this.#begunCount -= this.#begun[i % buckets] ?? 0;
      this.#begun[i % buckets] = 0;
    }
    this.#interval = interval;
    const tasks = this.#measure(nowMs);
    if (tasks > this.#tasks || tasks <= 0.75 * this.#tasks) this.#tasks = tasks;
  }

  #measure(nowMs: number): number {
    let tasks = Math.min(maxPrefetch, this.#begunCount);
    const youngestMs = nowMs - this.#lastBegunAtMs;
    if (this.#running >= this.#slots && youngestMs > 0)
      tasks = Math.min(tasks, Math.floor((this.#slots * aheadMs) / youngestMs));
    const isNew = this.#firstBegunAtMs === undefined || nowMs < this.#firstBegunAtMs + aheadMs;
    return isNew ? Math.max(tasks, this.#initialTasks) : tasks;
  }
}
