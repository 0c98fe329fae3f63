import { setTimeout as sleep } from 'node:timers/promises';

/** Node's timers fire at once when asked for more. */
const longestTimerMs = 2 ** 31 - 1;

/** Waits that can all be ended early, and what was to follow them. */
export class Delays {
  readonly #pending = new Set<Promise<void>>();
  #hurry = new AbortController();
  #closed = false;

  /** Runs it after that time; Infinity: when `end` is called. After `close`: never. */
  later(ms: number, run: () => Promise<void>): Promise<void> {
    const options = { signal: this.#hurry.signal, ref: false };
    const pending = sleep(Math.min(ms, longestTimerMs), undefined, options)
      .catch(() => undefined)
      .then(() => (this.#closed ? undefined : run()))
      .finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
    return pending;
  }

  /** Ends every wait; resolves when what followed is done. */
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
