import { sleepOver } from '../../../src/platform/sleep.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { ProcessClock } from '../../../src/testing/virtual-clock.ts';
import type { World } from '../world.ts';

/**
 * A simulated client process. It may die, and it may stall (a stopped machine, a long garbage collection). While it stalls
 * it receives neither timers nor messages; afterwards it receives all of them at once.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  readonly #own: ProcessClock;
  readonly #deathListeners = new Set<() => void>();
  #dead = false;
  #stalled = false;
  #deferred: (() => void)[] = [];

  constructor(world: World, name: string, offsetMs: number) {
    this.name = name;
    this.#world = world;
    this.#own = world.clock.process(offsetMs);
    const own = this.#own;
    const after: Clock['after'] = (ms, run) => {
      let cancelled = false;
      const cancel = own.after(ms, () => this.run(() => cancelled || run()));
      return () => {
        cancelled = true;
        cancel();
      };
    };
    this.clock = {
      now: own.now,
      monotonic: own.monotonic,
      random: own.random,
      uuid: own.uuid,
      after,
      sleep: sleepOver(after),
      soon: (run) => own.soon(() => this.run(run)),
    };
  }

  get dead(): boolean {
    return this.#dead;
  }

  /**
   * Runs a callback of the simulated process: now, or after a stall of the process, or never if the process is dead. The
   * order of the callbacks is kept.
   */
  run(callback: () => unknown): void {
    if (this.#dead) return;
    if (this.#stalled) this.#deferred.push(callback);
    else callback();
  }

  stall(ms: number): void {
    if (this.#stalled || this.#dead) return;
    this.#stalled = true;
    this.#world.clock.after(ms, () => this.#resume());
  }

  /** Adds a listener that is called when the process dies. Returns a function that removes the listener. */
  onDeath(listener: () => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#deferred = [];
    this.#own.kill();
    for (const listener of [...this.#deathListeners]) listener();
  }

  /**
   * Runs the callbacks that were deferred during the stall, one in each turn of the simulated clock, so that the promises
   * that a callback resolves settle before the next callback.
   */
  #resume(): void {
    const next = this.#deferred.shift();
    if (next === undefined) {
      this.#stalled = false;
      return;
    }
    next();
    this.#world.clock.soon(() => this.#resume());
  }
}
