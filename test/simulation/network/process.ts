import type { Clock } from '../../../src/ports/clock.ts';
import type { ProcessClock, VirtualClock } from '../../../src/testing/virtual-clock.ts';

/**
 * A simulated client process. It may die, and it may stall (a stopped machine, a long garbage collection). While it stalls
 * it receives neither timers nor messages; afterwards it receives all of them at once.
 */
export class SimProcess {
  readonly name: string;
  readonly #shared: VirtualClock;
  readonly #own: ProcessClock;
  readonly #deathListeners = new Set<() => void>();
  #dead = false;
  #isFlushed = false;

  /** `offsetMs` says by how much the wall clock of the process is ahead of the shared one. */
  constructor(shared: VirtualClock, name: string, offsetMs: number) {
    this.name = name;
    this.#shared = shared;
    this.#own = shared.process(offsetMs);
  }

  get clock(): Clock {
    return this.#own;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** True while the process stalls, and until it has received what came meanwhile. */
  get isBehind(): boolean {
    return this.#own.isBehind;
  }

  /** Runs a callback of the simulated process: now, or after a stall of the process, or never if the process is dead. */
  run(callback: () => unknown): void {
    this.#own.run(callback);
  }

  stall(ms: number): void {
    if (this.isBehind || this.#dead) return;
    this.#own.freeze();
    this.#shared.after(ms, () => this.#own.thaw());
  }

  /** Adds a listener that is called when the process dies. Returns a function that removes the listener. */
  onDeath(listener: () => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  /** Ends the process from within, as `process.exit` does: what it has handed to its sockets still arrives. */
  exit(): void {
    this.#isFlushed = true;
    this.kill();
  }

  /** True if the process ended by `exit`. */
  get isFlushed(): boolean {
    return this.#isFlushed;
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#own.kill();
    for (const listener of [...this.#deathListeners]) listener();
  }
}
