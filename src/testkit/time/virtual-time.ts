import { realWait } from '../../testing/event-loop.ts';
import type { VirtualClock } from '../../testing/virtual-clock.ts';

/** The kit around the virtual time: the things that it waits for, and those that it must not pass. */
export interface Surroundings {
  /** The number of attempts in progress. */
  inProgress(): number;
  /** A number that changes whenever an attempt begins or ends. */
  changes(): number;
  /** Returns true if an attempt may still wait for something real, and takes `ms` off the time that it may. */
  takeRealWait(ms: number): boolean;
  /** Returns the earliest time at which something is to happen; undefined if there is none. */
  nextAtMs(): Promise<number | undefined>;
  /** Returns true if a lease is held that nobody renews, so that every second counts. */
  hasOrphans(): Promise<boolean>;
  /** Acts on the tasks that are due now. */
  sweep(): Promise<void>;
}

/** The time before an event, in ms, from which the clock moves timer by timer: streams that a jump ended are open again. */
const landingMs = 2_000;
/** A real wait, in ms: much shorter than a call of a disk or a database, so that a handler with many of them is not slowed down. */
const waitMs = 0.1;
/** The most times that due tasks are acted on in one moment. What is due after that waits for the next moment. */
const mostSweeps = 20;

/**
 * Moves the virtual time. While attempts are in progress it moves from timer to timer, as a real clock does. Else it jumps
 * to shortly before the next event, so that a week without events takes no time.
 */
export class VirtualTime {
  readonly #clock: VirtualClock;
  readonly #around: Surroundings;

  constructor(clock: VirtualClock, around: Surroundings) {
    this.#clock = clock;
    this.#around = around;
  }

  /** Runs everything that can run now, without moving the time. */
  async rest(): Promise<void> {
    for (let sweeps = 0; sweeps < mostSweeps; sweeps++) {
      await this.#settle();
      const nextAtMs = await this.#around.nextAtMs();
      if (nextAtMs === undefined || nextAtMs > this.#clock.now()) return;
      const { changes } = this.#around;
      const before = changes();
      // A sweep may wait for time to pass, which nothing here lets pass. One that fails is repeated by the node itself.
      void this.#around.sweep().catch(() => {});
      await this.#settle();
      if (before === changes() && (await this.#around.nextAtMs()) === nextAtMs) return;
    }
  }

  /** Moves the time forward by `ms` and runs everything that comes due until then. */
  async advance(ms: number): Promise<void> {
    await this.advanceUntil(this.#clock.now() + ms, () => false);
  }

  /** Moves the time forward until `endMs`, or until `isOver` returns true after an event. */
  async advanceUntil(endMs: number, isOver: () => boolean): Promise<void> {
    await this.rest();
    while (this.#clock.now() < endMs && !isOver()) {
      const landsAtMs = (await this.#nextEventMs(endMs)) - landingMs;
      if (landsAtMs > this.#clock.now()) await this.#clock.jump(landsAtMs - this.#clock.now());
      else await this.#step(endMs);
      await this.rest();
    }
  }

  async #nextEventMs(endMs: number): Promise<number> {
    if (this.#around.inProgress() > 0 || (await this.#around.hasOrphans())) return this.#clock.now();
    return Math.min(endMs, (await this.#around.nextAtMs()) ?? endMs);
  }

  /** Moves to the next timer or the next due task, whichever is earlier, but not beyond `endMs`. */
  async #step(endMs: number): Promise<void> {
    const nowMs = this.#clock.now();
    const dueMs = (await this.#around.nextAtMs()) ?? endMs;
    const targetMs = Math.min(endMs, this.#clock.nextAtMs ?? endMs, dueMs > nowMs ? dueMs : endMs);
    await this.#clock.advance(Math.max(0, targetMs - nowMs));
  }

  /** Waits until nothing runs any more, also not the real work of handlers, within the real time that they may take. */
  async #settle(): Promise<void> {
    await this.#clock.advance(0);
    while (this.#around.takeRealWait(waitMs)) {
      await realWait(waitMs);
      await this.#clock.advance(0);
    }
  }

  /** Moves the time until the promise is settled, such as that of a worker that waits for its handlers to end. */
  async advanceUntilSettled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    await this.#clock.advance(0);
    while (!isSettled && this.#clock.nextAtMs !== undefined) {
      await this.#clock.advance(this.#clock.nextAtMs - this.#clock.now());
    }
    return settled;
  }
}
