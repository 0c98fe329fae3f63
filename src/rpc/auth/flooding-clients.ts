/**
 * Refuses new connections of a client whose connections were closed as floods. A client that connects again at once could
 * otherwise send the burst that one connection may send hundreds of times a second, and every call would wait for them.
 */
import type { Clock } from '../../ports/clock.ts';

/** How many connections of one client may be closed as floods in a second before its new connections are limited. */
const promptFloods = 4;
/** How long its new connections are limited after the last such connection, in ms: one a second, on each listener. */
const limitedMs = 10_000;
const secondMs = 1_000;
/** The most clients that are remembered. Above it the one that has flooded first is forgotten. */
const mostClients = 1_024;

interface FloodingClient {
  /** The connections that were closed as floods in the second from `sinceMs` on. */
  count: number;
  sinceMs: number;
  /** The new connections are limited until then. */
  limitedUntilMs: number;
  /** The time of the last new connection while they are limited. */
  connectedAtMs: number;
}

export class FloodingClients {
  readonly #clock: Clock;
  readonly #clients = new Map<string, FloodingClient>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a connection of a client that was closed as a flood. */
  closed(name: string): void {
    const nowMs = this.#clock.monotonic();
    const client = this.#clients.get(name) ?? this.#add(name);
    if (nowMs - client.sinceMs >= secondMs) Object.assign(client, { count: 0, sinceMs: nowMs });
    client.count++;
    if (client.count >= promptFloods || client.limitedUntilMs > nowMs)
      client.limitedUntilMs = nowMs + limitedMs;
  }

  /** Returns true if a new connection of a client is refused. Otherwise the connection counts as its one of this second. */
  refuses(name: string): boolean {
    const client = this.#clients.get(name);
    if (client === undefined) return false;
    const nowMs = this.#clock.monotonic();
    if (client.limitedUntilMs <= nowMs) {
      if (nowMs - client.sinceMs >= secondMs) this.#clients.delete(name);
      return false;
    }
    if (nowMs - client.connectedAtMs < secondMs) return true;
    client.connectedAtMs = nowMs;
    return false;
  }

  #add(name: string): FloodingClient {
    const never = Number.NEGATIVE_INFINITY;
    const client = { count: 0, sinceMs: never, limitedUntilMs: never, connectedAtMs: never };
    this.#clients.set(name, client);
    const [first] = this.#clients.keys();
    if (this.#clients.size > mostClients && first !== undefined) this.#clients.delete(first);
    return client;
  }
}
