/** Who of the nodes that share one store looks after which shards: pure, so that every node comes to the same. */

/** What a node says of itself in the registry, under the number of its seat. */
export interface NodeEntry {
  /** Of one life of one process. */
  readonly id: string;
  readonly name: string;
  /** By the node's own clock; 0: it left. Only who sees the entry for the first time goes by it. */
  readonly leaseEndAtMs: number;
  readonly version: string;
  /** What it sweeps. */
  readonly shards: readonly number[];
  /** False: it serves, and leaves sweeping to others. */
  readonly sweeps: boolean;
  /** How far its clock is ahead of the store's, as measured; absent: not measured. */
  readonly clockOffsetMs?: number | undefined;
}

export interface Seat {
  readonly key: string;
  readonly entry: NodeEntry;
}

const seatChars = 4;

/** Seats are taken again, so that the registry holds no more of them than nodes ever ran at once. */
export function seatKey(number: number): string {
  return String(number).padStart(seatChars, '0');
}

/** The lowest seat that nobody who lives sits on. */
export function freeSeat(taken: ReadonlySet<string>): string {
  let number = 0;
  while (taken.has(seatKey(number))) number++;
  return seatKey(number);
}

/** Whose a shard is: round the living seats that sweep, in their order. Undefined: nobody sweeps. */
export function ownerOf(shard: number, seats: readonly Seat[]): Seat | undefined {
  const sweeping = seats.filter(({ entry }) => entry.sweeps);
  return sweeping[shard % sweeping.length];
}

/**
 * What a node sweeps from now on: its own, and what it swept until its new owner says that it does. So a shard that
 * moves between two living nodes is swept by both for a beat at most, rather than by neither.
 */
export function sharesOf(
  key: string,
  swept: readonly number[],
  seats: readonly Seat[],
  shardCount: number,
): number[] {
  const shares: number[] = [];
  for (let shard = 0; shard < shardCount; shard++) {
    const owner = ownerOf(shard, seats);
    const isMine = owner?.key === key;
    const isAwaited = swept.includes(shard) && owner?.entry.shards.includes(shard) === false;
    if (isMine || isAwaited) shares.push(shard);
  }
  return shares;
}

/** Which shard's node looks after a queue: FNV-1a over its name. */
export function shardOfQueue(
  { tenant, queue }: { tenant: string; queue: string },
  shardCount: number,
): number {
  let hash = 0x811c9dc5;
  for (const char of `${tenant}/${queue}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % shardCount;
}
