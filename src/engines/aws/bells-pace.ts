import type { Clock } from '../../ports/clock.ts';
import type { Breaker } from './breaker.ts';

/** While the table is overloaded, a queue is asked for bells so often by a process. */
const slowMs = 1_000;

/** How fast one queue is asked for bells: what cannot be claimed now had better not be heard. */
export class Pace {
  readonly #clock: Clock;
  readonly #table: Breaker | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, table: Breaker | undefined) {
    this.#clock = clock;
    this.#table = table;
  }

  get slow(): boolean {
    return this.#table !== undefined && this.#table.state !== 'closed';
  }

  /** 0: go on; else so long, in ms, is to be waited before it is asked for again. */
  take(): number {
    const nowMs = this.#clock.monotonic();
    const leftMs = this.slow ? this.#lastMs + slowMs - nowMs : 0;
    if (leftMs > 0) return leftMs;
    this.#lastMs = nowMs;
    return 0;
  }
}
