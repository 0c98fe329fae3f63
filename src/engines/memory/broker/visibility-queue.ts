/** What stands in a line: not to be heard before its time. */
export interface Waiting {
  visibleAtMs: number;
}

/**
 * What waits to be heard in one queue at one priority. What was hidden and comes back is heard before what never
 * was, so that a dead worker's task does not wait behind a backlog.
 */
export class Line<T extends Waiting> {
  readonly #fresh = new Set<T>();
  readonly #returned = new Set<T>();
  readonly #hidden = new Set<T>();
  /** Nothing hidden becomes visible before this. */
  #wakeAtMs = Number.POSITIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#fresh.size + this.#returned.size + this.#hidden.size === 0;
  }

  add(item: T, nowMs: number): void {
    if (item.visibleAtMs > nowMs) this.hide(item, item.visibleAtMs);
    else this.#fresh.add(item);
  }

  remove(item: T): void {
    this.#fresh.delete(item);
    this.#returned.delete(item);
    this.#hidden.delete(item);
  }

  hide(item: T, untilMs: number): void {
    this.remove(item);
    item.visibleAtMs = untilMs;
    this.#hidden.add(item);
    this.#wakeAtMs = Math.min(this.#wakeAtMs, untilMs);
  }

  /** Those that may be heard; they may be hidden or removed while this goes on. */
  *visible(nowMs: number): Generator<T> {
    this.#wake(nowMs);
    yield* this.#returned;
    yield* this.#fresh;
  }

  /** When the next hidden one may be heard, or undefined. */
  nextAtMs(nowMs: number): number | undefined {
    this.#wake(nowMs);
    return Number.isFinite(this.#wakeAtMs) ? this.#wakeAtMs : undefined;
  }

  #wake(nowMs: number): void {
    if (nowMs < this.#wakeAtMs) return;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    for (const item of this.#hidden) {
      if (item.visibleAtMs > nowMs) {
        this.#wakeAtMs = Math.min(this.#wakeAtMs, item.visibleAtMs);
      } else {
        this.#hidden.delete(item);
        this.#returned.add(item);
      }
    }
  }
}
