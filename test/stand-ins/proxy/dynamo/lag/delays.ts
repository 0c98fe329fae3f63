import { setTimeout as sleep } from 'node:timers/promises';

/** The longest timer that Node supports; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Runs callbacks after delays, which can all be ended early. */
export class Delays {
  readonly #pending = new Set<Promise<void>>();
  #hurry = new AbortController();
  #closed = false;

  /**
   * Runs the callback `run` after `ms`, or when `end` is called if that is earlier. After `close` the callback never
   * runs.
   */
  later(ms: number, run: () => Promise<void>): Promise<void> {
    const options = { signal: this.#hurry.signal, ref: false };
    const pending = sleep(Math.min(ms, longestTimerMs), undefined, options)
      .catch(() => undefined)
      .then(() => (this.#closed ? undefined : run()))
      .finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
    return pending;
  }

  /** Ends every delay, and resolves when all callbacks have finished. */
  async end(): Promise<void> {
    this.#hurry.abort();
    this.#hurry = new AbortController();
    await Promise.all(this.#pending);
  }

  close(): void {
    this.#closed = true;
    this.#hurry.abort();
  }
}
