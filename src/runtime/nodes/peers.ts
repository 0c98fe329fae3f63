import type { Clock } from '../../ports/clock.ts';
import type { Registered } from '../../ports/registry.ts';
import type { NodeEntry, Seat } from './shard-ownership.ts';

interface Sighting {
  readonly rev: number;
  /** When this revision was first seen, on this process's own time. */
  readonly atMs: number;
}

/**
 * Who lives, as one node sees it. An entry lives while it goes on changing, by the observer's own lengths of time: no
 * two clocks are compared, so that one that jumps harms nobody. Only at first sight an entry's own end of lease counts,
 * so that what died long ago is not waited for.
 */
export class Peers {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #guardMs: number;
  readonly #seen = new Map<string, Sighting>();

  constructor(clock: Clock, leaseMs: number, guardMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#guardMs = guardMs;
  }

  /** The living, in the order of their seats. */
  living(entries: readonly Registered[]): Seat[] {
    const nowMs = this.#clock.monotonic();
    const living: Seat[] = [];
    for (const { key, value, rev } of entries) {
      const entry = value as NodeEntry;
      const seen = this.#seen.get(key);
      const isDead = seen === undefined && entry.leaseEndAtMs + this.#guardMs < this.#clock.now();
      if (seen?.rev !== rev) this.#seen.set(key, { rev, atMs: isDead ? Number.NEGATIVE_INFINITY : nowMs });
      const { atMs } = this.#seen.get(key) as Sighting;
      if (entry.leaseEndAtMs > 0 && nowMs - atMs < this.#leaseMs) living.push({ key, entry });
    }
    return living.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** In how many ms the first of these seats is spent, if nothing more is heard of it. */
  firstExpiredInMs(keys: readonly string[]): number {
    const nowMs = this.#clock.monotonic();
    const ends = keys.map((key) => (this.#seen.get(key)?.atMs ?? nowMs) + this.#leaseMs - nowMs);
    return Math.max(0, Math.min(...ends));
  }
}
