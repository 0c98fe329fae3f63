import type { Clock } from '../../ports/clock.ts';
import type { RegistryEntry } from '../../ports/registry.ts';
import type { NodeEntry, Seat } from './shard-ownership.ts';

interface SeenRevision {
  readonly rev: number;
  /**
   * The time at which this process first read the current revision of another node's registry entry, in ms on the
   * process's monotonic clock.
   */
  readonly atMs: number;
}

/**
 * Decides which other nodes are alive. A node is alive if the revision of its registry entry has changed within the lease
 * time, measured on the observer's own clock. The clocks of two nodes are not compared, so that a clock that jumps does
 * no harm. Only when the observer reads an entry for the first time, it uses the lease end in the entry, so that it does
 * not wait for a node that died long ago.
 */
export class Peers {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #guardMs: number;
  readonly #seen = new Map<string, SeenRevision>();

  constructor(clock: Clock, leaseMs: number, guardMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#guardMs = guardMs;
  }

  /** Returns the nodes that are alive, in the order of their seats (their numbers among the living nodes). */
  living(entries: readonly RegistryEntry[]): Seat[] {
    const nowMs = this.#clock.monotonic();
    const living: Seat[] = [];
    for (const { key, value, rev } of entries) {
      const entry = value as NodeEntry;
      const seen = this.#seen.get(key);
      const isDead = seen === undefined && entry.leaseEndAtMs + this.#guardMs < this.#clock.now();
      if (seen?.rev !== rev) this.#seen.set(key, { rev, atMs: isDead ? Number.NEGATIVE_INFINITY : nowMs });
      const { atMs } = this.#seen.get(key) as SeenRevision;
      if (entry.leaseEndAtMs > 0 && nowMs - atMs < this.#leaseMs) living.push({ key, entry });
    }
    return living.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * Returns the time in ms until the first of the given nodes counts as dead, if none of the given nodes writes its
   * registry entry again.
   */
  firstExpiredInMs(keys: readonly string[]): number {
    const nowMs = this.#clock.monotonic();
    const ends = keys.map((key) => (this.#seen.get(key)?.atMs ?? nowMs) + this.#leaseMs - nowMs);
    return Math.max(0, Math.min(...ends));
  }
}
