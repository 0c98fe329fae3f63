/** An item of a `VisibilityQueue`. It is hidden until `visibleAtMs`. */
export interface QueueItem {
  visibleAtMs: number;
}

/**
 * Holds the dispatch messages of one queue at one priority. A message that was hidden and became visible again comes
 * before the messages that were never received, so that a dead worker's task does not wait behind a backlog.
 */
export class VisibilityQueue<T extends QueueItem> {
  readonly #fresh = new Set<T>();
  readonly #returned = new Set<T>();
  readonly #hidden = new Set<T>();
  /** No hidden dispatch message of this queue becomes visible before this time. */
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

  /** Yields the visible dispatch messages. The caller may hide or remove messages during the iteration. */
  *visible(nowMs: number): Generator<T> {
    this.#wake(nowMs);
    yield* this.#returned;
    yield* this.#fresh;
  }

  /** Returns the time at which the next hidden dispatch message becomes visible, or undefined if no message is hidden. */
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
