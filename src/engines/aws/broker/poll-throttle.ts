import type { Clock } from '../../../ports/clock.ts';
import type { Dependency } from '../load/dependency.ts';

/** While the table's breaker is not closed, a queue is asked for bells so often by a process. */
const slowMs = 1_000;
/** Claims under way at once, beyond which no more bells are asked for; right after the breaker closed, doubled each second. */
const mostClaims = 96;
const leastClaims = 8;
const rampMs = 1_000;
/** Where there are as many: looked at again after so long. */
const fullMs = 50;

/** How fast one queue is asked for bells: what cannot be claimed now had better not be heard. */
export class PollThrottle {
  readonly #clock: Clock;
  readonly #table: Dependency | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, table: Dependency | undefined) {
    this.#clock = clock;
    this.#table = table;
  }

  /** Polls one at a time. */
  get slow(): boolean {
    return this.#table !== undefined && this.#limit(this.#table) < mostClaims;
  }

  /** 0: go on; else so long, in ms, is to be waited before it is asked for again. */
  take(): number {
    const nowMs = this.#clock.monotonic();
    const waitMs = this.#table === undefined ? 0 : this.#waitMs(this.#table, nowMs);
    if (waitMs <= 0) this.#lastMs = nowMs;
    return Math.max(0, waitMs);
  }

  #waitMs(table: Dependency, nowMs: number): number {
    if (table.breaker.state !== 'closed') return this.#lastMs + slowMs - nowMs;
    return table.limiter.going('claim') < this.#limit(table) ? 0 : fullMs;
  }

  #limit({ breaker }: Dependency): number {
    if (breaker.state !== 'closed') return 0;
    if (breaker.opened === 0) return mostClaims;
    return Math.min(mostClaims, leastClaims * 2 ** Math.floor(breaker.steadyMs / rampMs));
  }
}
