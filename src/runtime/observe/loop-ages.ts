import type { Clock } from '../../ports/clock.ts';

type Round = (signal: AbortSignal, alive: () => void) => Promise<boolean>;

/** Remembers when each background loop last ended a round without a failure, so that a loop that hangs or fails is seen. */
export class LoopAges {
  readonly #clock: Clock;
  readonly #endedAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns a round that is remembered when it has ended. */
  observe(loop: string, round: Round): Round {
    this.#endedAtMs.set(loop, this.#clock.monotonic());
    return async (signal, alive) => {
      const hasMore = await round(signal, alive);
      this.#endedAtMs.set(loop, this.#clock.monotonic());
      return hasMore;
    };
  }

  /** Returns the loops with the time in ms since their last round. */
  ages(): [loop: string, ageMs: number][] {
    const nowMs = this.#clock.monotonic();
    return [...this.#endedAtMs].map(([loop, endedAtMs]) => [loop, nowMs - endedAtMs]);
  }
}
