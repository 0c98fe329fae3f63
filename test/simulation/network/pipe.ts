import type { World } from '../world.ts';

/** One direction of a stream: in order, each message after a delay of its own, until it is cut. */
export class Pipe {
  readonly #world: World;
  #waiting: (() => void)[] = [];
  #lastAtMs = 0;
  #cut = false;

  constructor(world: World) {
    this.#world = world;
  }

  send(arrive: () => void): void {
    if (this.#cut) return;
    const { clock } = this.#world;
    this.#waiting.push(arrive);
    this.#lastAtMs = Math.max(this.#lastAtMs, clock.monotonic() + this.#world.latencyMs());
    // Timers of one moment ring in any order: whichever it is brings the first that waits.
    clock.after(this.#lastAtMs - clock.monotonic(), () => this.#waiting.shift()?.());
  }

  /** What is under way is lost, and nothing more is taken. */
  cut(): void {
    this.#cut = true;
    this.#waiting = [];
  }
}
