import type { Clock } from '../../../ports/clock.ts';

/** A service is out if it answered no request, or its breaker was not closed, for longer than this time in ms. */
const outMs = 3_000;

/**
 * Notices outages of a service from the results of its requests and from the state of its breaker. A process without
 * requests notices nothing: a server sends some every second, a worker that polls SQS every 5 s.
 */
export class Outages {
  readonly #clock: Clock;
  readonly #isBreakerClosed: () => boolean;
  #hasFailed = false;
  /** When the time without an answer, or with a breaker that is not closed, began. */
  #sinceMs: number | undefined;
  #endMs: number | undefined;

  constructor(clock: Clock, isBreakerClosed: () => boolean) {
    this.#clock = clock;
    this.#isBreakerClosed = isBreakerClosed;
  }

  /** Returns when the last outage ended, by the monotonic clock: now if it lasts, undefined if there was none. */
  get lastEndMs(): number | undefined {
    this.#look();
    return this.#endMs;
  }

  /** Records the result of a request. Must be called before the breaker counts this result. */
  record(isAnswered: boolean): void {
    this.#look();
    this.#hasFailed = !isAnswered;
    this.#look();
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    if (!this.#hasFailed && this.#isBreakerClosed()) {
      this.#sinceMs = undefined;
      return;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs > outMs) this.#endMs = nowMs;
  }
}
