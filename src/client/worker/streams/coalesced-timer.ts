import type { Clock } from '../../../ports/clock.ts';

/** One timer for many times: rings at the earliest that was asked for, and whoever hears it looks at everything. */
export class Alarm {
  readonly #clock: Clock;
  readonly #fire: (nowMs: number) => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, fire: (nowMs: number) => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** On the monotonic clock. */
  notLaterThan(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, Math.ceil(atMs - this.#clock.monotonic())), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.#fire(this.#clock.monotonic());
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
