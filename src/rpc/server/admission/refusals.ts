/**
 * Delays the refusals of a client that repeats refused calls without a pause. A refused call costs the server as much as
 * many calls that it serves, so that such a client would slow down all others. A delayed refusal keeps its call open, and
 * HTTP/2 limits the open calls of a connection.
 */
import type { Clock } from '../../../ports/clock.ts';

/** How many refusals a connection gets at once in each second. */
const promptRefusals = 64;
/** How many refusals of one client are delayed at most; the connections of a further one are closed. */
const mostDelayed = 1_024;
const secondMs = 1_000;

/** A refused call. */
export interface Refusal {
  /** Sends the status of the refusal. */
  send(): void;
  /** Closes the connection of the call at once. */
  disconnect(): void;
}

export class Refusals {
  readonly #clock: Clock;
  /** The refusals of this second, by connection. */
  #counts = new Map<object, number>();
  /** The delayed refusals, and their number by client. */
  #delayed: Refusal[] = [];
  #delayedByClient = new Map<string, number>();
  #isTicking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a refusal now, or at the end of this second. `client` is the identity, or undefined for a stranger. */
  add(connection: object, client: string | undefined, refusal: Refusal): void {
    const count = (this.#counts.get(connection) ?? 0) + 1;
    this.#counts.set(connection, count);
    this.#tick();
    if (count <= promptRefusals) {
      refusal.send();
      return;
    }
    const name = client ?? '';
    const delayed = (this.#delayedByClient.get(name) ?? 0) + 1;
    if (delayed > mostDelayed) {
      refusal.disconnect();
      return;
    }
    this.#delayedByClient.set(name, delayed);
    this.#delayed.push(refusal);
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#clock.after(secondMs, () => {
      this.#isTicking = false;
      const delayed = this.#delayed;
      this.#counts = new Map();
      this.#delayed = [];
      this.#delayedByClient = new Map();
      for (const refusal of delayed) refusal.send();
    });
  }
}
