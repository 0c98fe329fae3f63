import { timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Registered, Registry } from '../../ports/registry.ts';
import { Peers } from './peers.ts';
import { freeSeat, type NodeEntry, type Seat, sharesOf } from './shard-ownership.ts';

export const nodeKind = 'node';
export const beatMs = 5_000;
/** Under two beats, so that what a dead node swept has moved within 15 s of its last beat. */
const leaseMs = 8_500;
const soonestMs = 250;
const againMs = 1_000;
const mostTries = 4;

/** Whether a node may sweep, and how far its clock is ahead of the store's (undefined: not known). */
export interface Fitness {
  readonly fit: boolean;
  readonly clockOffsetMs: number | undefined;
}

export interface MembershipOptions {
  /** Of one life of this process. */
  readonly id: string;
  /** Names this process to people. */
  readonly node: string;
  readonly version: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  /** How many there are at this moment; they may become more. */
  readonly countShards: () => Promise<number>;
  readonly fitness: () => Fitness;
}

interface Own {
  readonly key: string;
  readonly rev: number;
}

/**
 * One node among those that share a store: says every few seconds that it lives and what it sweeps, and takes its share
 * of what the living leave. To sweep a shard twice does no harm, so no lock is held: whoever is late finds out.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #peers: Peers;
  readonly #id: string;
  #own: Own | undefined;
  #swept: readonly number[] = [];
  #shardCount = 1;
  #untilMs = Number.NEGATIVE_INFINITY;
  #others: readonly string[] = [];
  #left = false;
  #beating: Promise<void> = Promise.resolve();
  #beatAtMs = Number.NEGATIVE_INFINITY;
  readonly #looked = Promise.withResolvers<void>();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#peers = new Peers(options.clock, leaseMs, timing.clockGuardMs);
    this.#id = options.id;
  }

  /** What this node sweeps at this moment: nothing once its own lease is over, whatever held it up. */
  get shards(): readonly number[] {
    const { clock, fitness } = this.#options;
    return !this.#left && fitness().fit && clock.monotonic() < this.#untilMs ? this.#swept : [];
  }

  /** How many shards there were at its last beat. */
  get shardCount(): number {
    return this.#shardCount;
  }

  /** Resolves when it has looked once, with whatever success. */
  get looked(): Promise<void> {
    return this.#looked.promise;
  }

  /** Until the next beat: sooner after one that failed, and where somebody's lease will be spent. */
  get nextInMs(): number {
    const ownMs = this.#beatAtMs - this.#options.clock.monotonic();
    return Math.max(soonestMs, Math.min(ownMs, this.#peers.firstExpiredInMs(this.#others) + 1));
  }

  /** Says that this node lives, and looks who else does. */
  async beat(): Promise<void> {
    const { clock } = this.#options;
    this.#beatAtMs = clock.monotonic() + againMs;
    this.#beating = this.#beat();
    this.#beating.then(this.#looked.resolve, this.#looked.resolve);
    await this.#beating;
    this.#beatAtMs = clock.monotonic() + beatMs;
  }

  /** Gives everything back at once. Idempotent. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#beating.catch(() => {});
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

  /** False: another process was quicker on this seat. */
  async #write(entries: readonly Registered[], beganAtMs: number): Promise<boolean> {
    const { registry, clock, fitness } = this.#options;
    const living = this.#peers.living(entries).filter(({ entry }) => entry.id !== this.#id);
    const { key, rev } = this.#seat(entries, living);
    const sweeps = fitness().fit;
    const self: Seat = { key, entry: this.#entry([], 1) };
    const all = [...living, self].sort((a, b) => (a.key < b.key ? -1 : 1));
    const shares = sweeps ? sharesOf(key, this.#swept, all, this.#shardCount) : [];
    const entry = this.#entry(shares, clock.now() + leaseMs);
    if (!(await registry.put(nodeKind, key, entry, rev ?? 'absent'))) {
      this.#own = undefined;
      this.#take([]);
      return false;
    }
    this.#own = { key, rev: (rev ?? 0) + 1 };
    this.#untilMs = beganAtMs + leaseMs;
    this.#others = living.map((seat) => seat.key);
    this.#take(shares);
    return true;
  }

  #seat(entries: readonly Registered[], living: readonly Seat[]): { key: string; rev: number | undefined } {
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
      'sweeps other shards',
    );
  }
}
