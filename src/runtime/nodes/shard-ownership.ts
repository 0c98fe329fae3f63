import { type QueueRef, queueKey } from '../../core/queue-ref.ts';

/** Assigns the shards of a store to its nodes. These functions are pure, so that every node computes the same owners. */

/**
 * The registry entry of a node. The key of the entry is the node's seat, a number by which the node shares the shards.
 */
export interface NodeEntry {
  /** The id of the node's process. After a restart the process has another id. */
  readonly id: string;
  readonly name: string;
  /**
   * The end of the node's lease in ms on the node's own clock, or 0 if the node has left. Other nodes use this time only
   * when they read the entry for the first time.
   */
  readonly leaseEndAtMs: number;
  readonly version: string;
  /** The shards that the node sweeps. */
  readonly shards: readonly number[];
  /** False if the node serves calls only and leaves sweeping to other nodes. */
  readonly sweeps: boolean;
  /** By how many ms the node's clock is ahead of the store's clock. Absent if the difference was not measured. */
  readonly clockOffsetMs?: number | undefined;
}

export interface Seat {
  readonly key: string;
  readonly entry: NodeEntry;
}

const seatChars = 4;

/**
 * Returns the registry key of a seat (a node's number among the living nodes). Another node takes the seat of a node that
 * left, so that there are never more seats than nodes that ran at once.
 */
export function seatKey(number: number): string {
  return String(number).padStart(seatChars, '0');
}

/** Returns the registry key of the lowest seat number that no living node has. */
export function freeSeat(taken: ReadonlySet<string>): string {
  let number = 0;
  while (taken.has(seatKey(number))) number++;
  return seatKey(number);
}

/**
 * Returns the node that must sweep a shard: the shards go round-robin to the living nodes that sweep, in the order of
 * their seats. Returns undefined if no node sweeps.
 */
export function ownerOf(shard: number, seats: readonly Seat[]): Seat | undefined {
  const sweeping = seats.filter(({ entry }) => entry.sweeps);
  return sweeping[shard % sweeping.length];
}

/**
 * Returns the shards that a node sweeps from now on: the shards that it owns, and the shards that it swept before and
 * whose new owner does not list them yet. A shard that moves between two living nodes is therefore swept by both nodes
 * for one beat (5 s) at most, and always by at least one node.
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

/**
 * Returns the shard whose owner reconciles a queue: the FNV-1a hash of the queue's tenant and name, modulo the number of
 * shards.
 */
export function shardOfQueue(queue: QueueRef, shardCount: number): number {
  let hash = 0x811c9dc5;
  for (const char of queueKey(queue)) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % shardCount;
}
