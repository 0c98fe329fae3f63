export interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Timers by their time; those of one time in the order in which they were set. */
export class Timers {
  readonly #sorted: Timer[] = [];

  /** Undefined: there is none. */
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

  /** Takes the timer of the earliest time, where several share it the one that `pick` (0 … n − 1) says. */
  take(pick: (n: number) => number): Timer | undefined {
    const atMs = this.nextAtMs;
    let same = 0;
    while (same < this.#sorted.length && this.#sorted[same]?.atMs === atMs) same++;
    if (same === 0) return undefined;
    return this.#sorted.splice(same === 1 ? 0 : pick(same), 1)[0];
  }
}
