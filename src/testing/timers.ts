export interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A list of timers, sorted by time. Timers of the same time keep the order in which they were set. */
export class Timers {
  readonly #sorted: Timer[] = [];

  /** The time of the earliest timer, or undefined if there is no timer. */
  get nextAtMs(): number | undefined {
    return this.#sorted[0]?.atMs;
  }

  get size(): number {
    return this.#sorted.length;
  }

  add(timer: Timer): void {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle]?.atMs ?? 0) <= timer.atMs) low = middle + 1;
      else high = middle;
    }
    this.#sorted.splice(low, 0, timer);
  }

  remove(timer: Timer): void {
    const at = this.#sorted.indexOf(timer);
    if (at >= 0) this.#sorted.splice(at, 1);
  }

  /** Removes and returns the earliest timer. If n timers share that time, `pick(n)` chooses one of them by index. */
  take(pick: (n: number) => number): Timer | undefined {
    const atMs = this.nextAtMs;
    let same = 0;
    while (same < this.#sorted.length && this.#sorted[same]?.atMs === atMs) same++;
    if (same === 0) return undefined;
    return this.#sorted.splice(same === 1 ? 0 : pick(same), 1)[0];
  }
}
