import { type QueueRef, queueKey } from '../../core/queue-ref.ts';

/** Assigns the shards of a store to its nodes. These functions are pure, so that every node computes the same owners. */

/** The entry of a node in the registry. Its key is the number of the node's seat. */
export interface NodeEntry {
  /** Identifies one run of one process. */
  readonly id: string;
  readonly name: string;
  /**
   * The end of the lease on the node's own clock, or 0 if the node left. Another node uses it only when it reads the entry
   * for the first time.
   */
  readonly leaseEndAtMs: number;
  readonly version: string;
  /** The shards that the node sweeps. */
  readonly shards: readonly number[];
  /** False if the node serves calls only and leaves sweeping to other nodes. */
  readonly sweeps: boolean;
  /** How far the node's clock is ahead of the store's clock. Absent if it was not measured. */
  readonly clockOffsetMs?: number | undefined;
}

export interface Seat {
  readonly key: string;
  readonly entry: NodeEntry;
}

const seatChars = 4;

/**
 * Returns the registry key of a seat. The seat of a node that left is taken by another node, so that there are never more
 * seats than nodes that ran at once.
 */
export function seatKey(number: number): string {
  return String(number).padStart(seatChars, '0');
}

/** Returns the lowest seat that no living node has. */
export function freeSeat(taken: ReadonlySet<string>): string {
  let number = 0;
  while (taken.has(seatKey(number))) number++;
  return seatKey(number);
}

/** Returns the node that owns a shard: round-robin over the live sweeping seats, in seat order. Undefined if none sweeps. */
export function ownerOf(shard: number, seats: readonly Seat[]): Seat | undefined {
  const sweeping = seats.filter(({ entry }) => entry.sweeps);
  return sweeping[shard % sweeping.length];
}

/**
 * Returns the shards that a node sweeps from now on: the shards that it owns, and those that it swept before and whose new
 * owner does not list them yet. A shard that moves between two living nodes is therefore swept by both for one beat at
 * most, and never by neither.
 */
export function shardsToSweep(
  key: string,
  swept: readonly number[],
  seats: readonly Seat[],
  shardCount: number,
): number[] {
  const shards: number[] = [];
  for (let shard = 0; shard < shardCount; shard++) {
    const owner = ownerOf(shard, seats);
    const isMine = owner?.key === key;
    const isAwaited = swept.includes(shard) && owner?.entry.shards.includes(shard) === false;
    if (isMine || isAwaited) shards.push(shard);
  }
  return shards;
}

/** Returns the shard whose owner reconciles a queue: FNV-1a over the queue's name. */
export function shardOfQueue(queue: QueueRef, shardCount: number): number {
  let hash = 0x811c9dc5;
  for (const char of queueKey(queue)) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % shardCount;
}
