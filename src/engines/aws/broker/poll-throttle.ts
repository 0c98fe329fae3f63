import type { Clock } from '../../../ports/clock.ts';
import type { Dependency } from '../load/dependency.ts';

/** The time between two polls of a queue by one process while the table's breaker is not closed. */
const openBreakerPollMs = 1_000;
/** No poll starts while this many claims are in flight. */
const mostClaims = 96;
/** The limit of claims in flight right after the breaker closed. It doubles each second up to `mostClaims`. */
const leastClaims = 8;
const rampMs = 1_000;
/** How long a poll waits before it checks the number of claims in flight again. */
const claimsFullMs = 50;

/**
 * Limits how often one queue is polled while the table is overloaded. A message that cannot be claimed now should stay
 * in SQS, since each receive hides it for a whole lease.
 */
export class PollThrottle {
  readonly #clock: Clock;
  readonly #table: Dependency | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, table: Dependency | undefined) {
    this.#clock = clock;
    this.#table = table;
  }

  /** True while the limit is reduced; a level then gets one poll at a time. */
  get isSlow(): boolean {
    return this.#table !== undefined && this.#limit(this.#table) < mostClaims;
  }

  /** Returns 0 if a poll may start now, else how long to wait, in ms, before asking again. */
  requestPoll(): number {
    const nowMs = this.#clock.monotonic();
    const waitMs = this.#table === undefined ? 0 : this.#waitMs(this.#table, nowMs);
    if (waitMs <= 0) this.#lastMs = nowMs;
    return Math.max(0, waitMs);
  }

  #waitMs(table: Dependency, nowMs: number): number {
    if (table.breaker.state !== 'closed') return this.#lastMs + openBreakerPollMs - nowMs;
    return table.limiter.pending('claim') < this.#limit(table) ? 0 : claimsFullMs;
  }

  /** The most claims in flight at which a poll may start. */
  #limit({ breaker }: Dependency): number {
    if (breaker.state !== 'closed') return 0;
    if (breaker.opened === 0) return mostClaims;
    return Math.min(mostClaims, leastClaims * 2 ** Math.floor(breaker.unchangedMs / rampMs));
  }
}
