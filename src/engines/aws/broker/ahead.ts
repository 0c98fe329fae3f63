/** The most messages that this process receives ahead of the free slots of its workers, for one queue. */
const mostAhead = 192;
/** The taken deliveries are counted in windows of this length, for a second in all. */
const windowMs = 200;
const windowCount = 5;
/**
 * How many windows the messages should last, of the five in a second. A message that is not taken within a second is shown
 * again, so a flow may become slower by 40 % until that happens.
 */
const aheadWindows = 3;

/**
 * How many messages of one queue are received ahead of the free slots of the workers that begin each task at once: as many
 * as they take in 0.6 s, by the least busy one of the last five windows of 200 ms. So an uneven flow, such as that of long
 * tasks, receives little ahead, and a flow that stops receives nothing ahead after at most 400 ms. A new flow is known
 * after two windows. All times are monotonic.
 */
export class Ahead {
  /** The number of deliveries taken in each of the last complete windows, and in the current one. */
  readonly #taken = new Array<number>(windowCount + 1).fill(0);
  /** The number of the current window, counted from the start of the monotonic clock. */
  #window = 0;
  /** The window in which the flow began: the first take after a second without one. */
  #firstWindow = 0;

  /** Counts deliveries that a worker took, and begins at once. */
  taken(count: number, nowMs: number): void {
    this.#moveTo(nowMs);
    if (this.#taken.every((one) => one === 0)) this.#firstWindow = this.#window;
    const at = this.#window % this.#taken.length;
    this.#taken[at] = (this.#taken[at] ?? 0) + count;
  }

  /** Returns the number of messages that should be buffered now. */
  messages(nowMs: number): number {
    this.#moveTo(nowMs);
    // The first window of a flow does not count: in it the worker fills its slots.
    const counted = Math.min(windowCount, this.#window - this.#firstWindow - 1);
    let least = counted <= 0 ? 0 : Number.POSITIVE_INFINITY;
    for (let back = 1; back <= counted; back++)
      least = Math.min(least, this.#taken[(this.#window - back) % this.#taken.length] ?? 0);
    return Math.min(mostAhead, least * aheadWindows);
  }

  #moveTo(nowMs: number): void {
    const window = Math.floor(nowMs / windowMs);
    const from = Math.max(this.#window + 1, window - windowCount);
    for (let i = from; i <= window; i++) this.#taken[i % this.#taken.length] = 0;
    this.#window = Math.max(this.#window, window);
  }
}
