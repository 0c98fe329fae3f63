import type { Clock } from '../../../ports/clock.ts';

/**
 * One timer for many times: it fires once, at the earliest of the times that were requested since it last fired. Its
 * callback must then do everything that is due and request the next time.
 */
export class CoalescedTimer {
  readonly #clock: Clock;
  readonly #fire: (nowMs: number) => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, fire: (nowMs: number) => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Requests that the timer fires at this time on the monotonic clock or earlier. */
  fireBy(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, Math.ceil(atMs - this.#clock.monotonic())), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.#fire(this.#clock.monotonic());
    });
  }

  /** Cancels the timer for good. Later requests are ignored. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
