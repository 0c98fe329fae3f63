/**
 * Refuses new connections of a client whose connections were closed as floods. A client that connects again at once could
 * otherwise send the burst that one connection may send hundreds of times a second, and every call would wait for them.
 */
import type { Clock } from '../../ports/clock.ts';

/** How many connections of one client may be closed as floods in a second before its new connections are refused. */
const promptFloods = 4;
const secondMs = 1_000;

export class FloodingClients {
  readonly #clock: Clock;
  /** The connections that were closed in this second, by the name of their client. */
  readonly #closed = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a connection of a client that was closed as a flood. */
  closed(client: string): void {
    if (this.#closed.size === 0) this.#clock.after(secondMs, () => this.#closed.clear());
    this.#closed.set(client, (this.#closed.get(client) ?? 0) + 1);
  }

  /** Returns true if new connections of a client are refused until the end of this second. */
  refuses(client: string): boolean {
    return (this.#closed.get(client) ?? 0) >= promptFloods;
  }
}
