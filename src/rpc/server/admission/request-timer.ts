/**
 * Ends the calls whose message does not arrive in time. All calls have the same time, so that the oldest one is due
 * first and one timer serves all of them.
 */
import { HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';

/** A function that ends a call with an error. */
export type Refuse = (error: HoldfastError) => void;

export class RequestTimer {
  readonly #clock: Clock;
  readonly #requestMs: number;
  /** The calls whose message is being received, and since when by the monotonic clock, oldest first. */
  readonly #receiving = new Map<Refuse, number>();
  #running = false;

  constructor(clock: Clock, requestMs: number = timing.requestMs) {
    this.#clock = clock;
    this.#requestMs = requestMs;
  }

  /** The number of calls whose message is being received. */
  get count(): number {
    return this.#receiving.size;
  }

  /** Starts the time of a call. `refuse` is called once if the time passes before `end` is called with it. */
  begin(refuse: Refuse): void {
    this.#receiving.set(refuse, this.#clock.monotonic());
    if (this.#running) return;
    this.#running = true;
    this.#clock.after(this.#requestMs, () => this.#tick());
  }

  end(refuse: Refuse): void {
    this.#receiving.delete(refuse);
  }

  #tick(): void {
    const nowMs = this.#clock.monotonic();
    for (const [refuse, sinceMs] of this.#receiving) {
      const leftMs = sinceMs + this.#requestMs - nowMs;
      if (leftMs > 0) return void this.#clock.after(leftMs, () => this.#tick());
      this.#receiving.delete(refuse);
      refuse(tooSlow(this.#requestMs));
    }
    this.#running = false;
  }
}

function tooSlow(requestMs: number): HoldfastError {
  return new HoldfastError(
    'DEADLINE_EXCEEDED',
    'TIMED_OUT',
    `The message of this call did not arrive within ${requestMs / 1_000} s.`,
    { help: 'Repeat the call; send smaller messages if the network is slow.' },
  );
}
