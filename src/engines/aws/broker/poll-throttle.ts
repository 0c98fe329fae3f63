import type { Clock } from '../../../ports/clock.ts';
import type { Dependency } from '../load/dependency.ts';

/**
 * The time in ms between two polls of a queue by one process while the circuit breaker of the DynamoDB table is not
 * closed.
 */
const openBreakerPollMs = 1_000;
/** No poll of SQS starts while this number of task claims is in flight. */
const mostClaims = 96;
/**
 * The limit of task claims in flight right after the table's breaker has closed. The limit doubles each second up to
 * `mostClaims`.
 */
const leastClaims = 8;
const rampMs = 1_000;
/** How long a delayed poll waits before it checks the number of task claims in flight again, in ms. */
const claimsFullMs = 50;

/**
 * Limits how often one queue is polled while the DynamoDB table is overloaded. A message whose task cannot be claimed
 * now should stay in SQS, since each receive hides the message for as long as a whole lease.
 */
export class PollThrottle {
  readonly #clock: Clock;
  readonly #table: Dependency | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, table: Dependency | undefined) {
    this.#clock = clock;
    this.#table = table;
  }

  /**
   * True while the limit of task claims in flight is reduced. Each priority level (one SQS queue) then gets one poll
   * at a time.
   */
  get isSlow(): boolean {
    return this.#table !== undefined && this.#limit(this.#table) < mostClaims;
  }

  /** Returns 0 if a poll of SQS may start now, else the time in ms to wait before the next `requestPoll()`. */
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

  /** The number of task claims in flight from which on no poll of SQS may start. */
  #limit({ breaker }: Dependency): number {
    if (breaker.state !== 'closed') return 0;
    if (breaker.opened === 0) return mostClaims;
    return Math.min(mostClaims, leastClaims * 2 ** Math.floor(breaker.unchangedMs / rampMs));
  }
}
