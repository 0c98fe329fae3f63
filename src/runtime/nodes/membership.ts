import { timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Registry, RegistryEntry } from '../../ports/registry.ts';
import { Peers } from './peers.ts';
import { freeSeat, type NodeEntry, type Seat, shardsToSweep } from './shard-ownership.ts';

export const nodeKind = 'node';
export const beatMs = 5_000;
/**
 * The duration of a node's lease on its shards, in ms. It is shorter than two beats (a node renews its lease at each
 * beat, every 5 s), so that the shards of a dead node have a new owner within 15 s of the node's last beat.
 */
const leaseMs = 8_500;
const shortestPauseMs = 250;
/** The pause in ms before a node tries to renew its lease again after a failed try. */
const retryMs = 1_000;
const mostTries = 4;

/**
 * Tells whether a node may sweep and give out leases. A node is unfit while its clock differs too much from the store's clock.
 */
export interface Fitness {
  readonly fit: boolean;
  /** By how many ms the node's clock is ahead of the store's clock. Undefined if the difference was not measured. */
  readonly clockOffsetMs: number | undefined;
}

export interface MembershipOptions {
  /** The id of this process. After a restart the process has another id. */
  readonly id: string;
  /** The name of the node in log lines and in the list of nodes. */
  readonly node: string;
  readonly version: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  /** Returns the current number of shards of the due index, which may grow. */
  readonly countShards: () => Promise<number>;
  readonly fitness: () => Fitness;
}

interface OwnSeat {
  readonly key: string;
  readonly rev: number;
}

/**
 * The membership of one node among the nodes that share a store. Every 5 s it writes the node's entry with the shards that
 * the node sweeps, reads the entries of the other nodes, and takes its share of the shards. No lock is held, because two
 * nodes may sweep the same shard without harm: each write of a sweep is conditional.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #peers: Peers;
  readonly #id: string;
  #own: OwnSeat | undefined;
  #swept: readonly number[] = [];
  #shardCount = 1;
  #untilMs = Number.NEGATIVE_INFINITY;
  #others: readonly string[] = [];
  #left = false;
  #currentBeat: Promise<void> = Promise.resolve();
  #nextBeatAtMs = Number.NEGATIVE_INFINITY;
  readonly #firstBeat = Promise.withResolvers<void>();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#peers = new Peers(options.clock, leaseMs, timing.clockGuardMs);
    this.#id = options.id;
  }

  /**
   * The shards that this node sweeps now. The list is empty once the node's lease has expired, for example after a stall.
   */
  get shards(): readonly number[] {
    const { clock, fitness } = this.#options;
    return !this.#left && fitness().fit && clock.monotonic() < this.#untilMs ? this.#swept : [];
  }

  /** The number of shards of the due index, as this node counted them when it last renewed its lease. */
  get shardCount(): number {
    return this.#shardCount;
  }

  /**
   * Resolves when this node has tried to renew its lease for the first time, even if the try failed. Before that the
   * node does not know its shards.
   */
  get firstBeatDone(): Promise<void> {
    return this.#firstBeat.promise;
  }

  /**
   * The time in ms until this node renews its lease again. The time is shorter after a failed renewal, or if another
   * node's lease expires earlier.
   */
  get nextInMs(): number {
    const ownMs = this.#nextBeatAtMs - this.#options.clock.monotonic();
    return Math.max(shortestPauseMs, Math.min(ownMs, this.#peers.firstExpiredInMs(this.#others) + 1));
  }

  /** Renews the lease of this node and reads which other nodes are alive. */
  async beat(): Promise<void> {
    const { clock } = this.#options;
    this.#nextBeatAtMs = clock.monotonic() + retryMs;
    this.#currentBeat = this.#beat();
    this.#currentBeat.then(this.#firstBeat.resolve, this.#firstBeat.resolve);
    await this.#currentBeat;
    this.#nextBeatAtMs = clock.monotonic() + beatMs;
  }

  /** Gives all shards and the lease of this node back at once. A second call has no effect. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#currentBeat.catch(() => {});
    const own = this.#own;
    if (own === undefined) return;
    await this.#options.registry.put(nodeKind, own.key, this.#entry([], 0), own.rev);
  }

  async #beat(): Promise<void> {
    for (let i = 0; i < mostTries && !this.#left; i++) {
      const beganAtMs = this.#options.clock.monotonic();
      const entries = await this.#options.registry.list(nodeKind, '');
      this.#shardCount = await this.#options.countShards();
      if (this.#left) return;
      if (await this.#write(entries, beganAtMs)) return;
    }
  }

  /**
   * Writes the registry entry of this node under its seat (its number among the living nodes), or under a free seat
   * number. Returns false if another process wrote to that entry first.
   */
  async #write(entries: readonly RegistryEntry[], beganAtMs: number): Promise<boolean> {
    const { registry, clock, fitness } = this.#options;
    const living = this.#peers.living(entries).filter(({ entry }) => entry.id !== this.#id);
    const { key, rev } = this.#seat(entries, living);
    const sweeps = fitness().fit;
    const self: Seat = { key, entry: this.#entry([], 1) };
    const all = [...living, self].sort((a, b) => (a.key < b.key ? -1 : 1));
    const shards = sweeps ? shardsToSweep(key, this.#swept, all, this.#shardCount) : [];
    const entry = this.#entry(shards, clock.now() + leaseMs);
    if (!(await registry.put(nodeKind, key, entry, rev ?? 'absent'))) {
      this.#own = undefined;
      this.#take([]);
      return false;
    }
    this.#own = { key, rev: (rev ?? 0) + 1 };
    this.#untilMs = beganAtMs + leaseMs;
    this.#others = living.map((seat) => seat.key);
    this.#take(shards);
    return true;
  }

  #seat(
    entries: readonly RegistryEntry[],
    living: readonly Seat[],
  ): { key: string; rev: number | undefined } {
    const mine = entries.find(({ value }) => (value as NodeEntry).id === this.#id);
    const key = mine?.key ?? freeSeat(new Set(living.map((seat) => seat.key)));
    return { key, rev: entries.find((one) => one.key === key)?.rev };
  }

  #entry(shards: readonly number[], leaseEndAtMs: number): NodeEntry {
    const { node, version, fitness } = this.#options;
    const { fit, clockOffsetMs } = fitness();
    return { id: this.#id, name: node, leaseEndAtMs, version, shards, sweeps: fit, clockOffsetMs };
  }

  #take(shards: readonly number[]): void {
    const before = this.#swept.join(',');
    this.#swept = shards;
    const now = shards.join(',');
    if (now === before) return;
    const { log, node } = this.#options;
    log.info(
      { node, shards: now, seat: this.#own?.key, nodes: this.#others.length + 1 },
      'the set of shards that this node sweeps has changed',
    );
  }
}
