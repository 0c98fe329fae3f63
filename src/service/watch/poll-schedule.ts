import type { Clock } from '../../ports/clock.ts';

/** Something that is polled at times. */
export interface Polled {
  poll(): void;
}

interface Round {
  readonly polled: Set<Polled>;
  readonly cancel: () => void;
}

/** The times of the next polls. All polls of one time share one timer: a timer for each watched task costs 300 bytes. */
export class PollSchedule {
  readonly #clock: Clock;
  readonly #rounds = new Map<number, Round>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Polls once at `atMs` of the monotonic clock. */
  add(atMs: number, polled: Polled): void {
    const round = this.#rounds.get(atMs);
    if (round !== undefined) {
      round.polled.add(polled);
      return;
    }
    const cancel = this.#clock.after(atMs - this.#clock.monotonic(), () => this.#run(atMs));
    this.#rounds.set(atMs, { polled: new Set([polled]), cancel });
  }

  remove(atMs: number, polled: Polled): void {
    const round = this.#rounds.get(atMs);
    round?.polled.delete(polled);
    if (round?.polled.size !== 0) return;
    round.cancel();
    this.#rounds.delete(atMs);
  }

  #run(atMs: number): void {
    const round = this.#rounds.get(atMs);
    this.#rounds.delete(atMs);
    for (const polled of round?.polled ?? []) polled.poll();
  }
}
