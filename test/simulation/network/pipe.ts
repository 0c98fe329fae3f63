import type { World } from '../world.ts';

/**
 * One direction of a simulated stream. It delivers messages in order, each after a delay of its own, until the stream is
 * cut.
 */
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
    // Timers of the same moment fire in any order, so each timer delivers the oldest waiting message.
    clock.after(this.#lastAtMs - clock.monotonic(), () => this.#waiting.shift()?.());
  }

  /** Cuts this direction of the stream: discards the messages in flight and all later messages. */
  cut(): void {
    this.#cut = true;
    this.#waiting = [];
  }
}
