/** In how many ms a clock that is ahead by up to this many ms is slowed until it is right. */
const slowedMs = 2_000;

/**
 * A time that never goes back: `monotonic` plus a difference that may change. When the difference grows, the time steps
 * forward. When it falls, the time is ahead, and runs slower: a lead of up to 2 s is gone after 2 s. With a longer lead the
 * time stands still until it is right.
 */
export class SteadyTime {
  #differenceMs: number | undefined;
  /** By how much the time was ahead of `monotonic` plus the difference, and when that was, by `monotonic`. */
  #leadMs = 0;
  #leadAtMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Returns by how many ms the time is ahead. */
  leadMs(monotonicMs: number): number {
    const slowedBy = Math.min(1, this.#leadMs / slowedMs);
    return Math.max(0, this.#leadMs - slowedBy * Math.max(0, monotonicMs - this.#leadAtMs));
  }

  /** Returns the time in whole ms, once the difference from `monotonic` is this one. */
  at(monotonicMs: number, differenceMs: number): number {
    const before = this.#differenceMs ?? differenceMs;
    if (before !== differenceMs) {
      this.#leadMs = Math.max(0, this.leadMs(monotonicMs) + before - differenceMs);
      this.#leadAtMs = monotonicMs;
    }
    this.#differenceMs = differenceMs;
    const timeMs = Math.floor(monotonicMs + differenceMs + this.leadMs(monotonicMs));
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    return this.#lastMs;
  }
}
