import { sleepOver } from '../../../src/platform/sleep.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { ProcessClock } from '../../../src/testing/virtual-clock.ts';
import type { World } from '../world.ts';

/**
 * A client's process. It may die, and it may be held up (a stopped machine, a long collection): then nothing reaches
 * it, neither timers nor messages, and all of it comes at once when it goes on.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  readonly #own: ProcessClock;
  readonly #deaths = new Set<() => void>();
  #dead = false;
  #heldUp = false;
  #owed: (() => void)[] = [];

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

  /** Something reaches this process: now, when it goes on, or never. Order is kept. */
  run(reached: () => unknown): void {
    if (this.#dead) return;
    if (this.#heldUp) this.#owed.push(reached);
    else reached();
  }

  holdUp(ms: number): void {
    if (this.#heldUp || this.#dead) return;
    this.#heldUp = true;
    this.#world.clock.after(ms, () => this.#goOn());
  }

  /** Called back once it is dead; the answer takes that back. */
  onDeath(tell: () => void): () => void {
    this.#deaths.add(tell);
    return () => this.#deaths.delete(tell);
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#owed = [];
    this.#own.kill();
    for (const tell of [...this.#deaths]) tell();
  }

  /** One thing a turn, so that what each of them resolves is done before the next. */
  #goOn(): void {
    const next = this.#owed.shift();
    if (next === undefined) {
      this.#heldUp = false;
      return;
    }
    next();
    this.#world.clock.soon(() => this.#goOn());
  }
}
