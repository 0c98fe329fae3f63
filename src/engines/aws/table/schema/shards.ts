import type { Clock } from '../../../../ports/clock.ts';
import type { Log } from '../../../../ports/log.ts';
import type { Registry } from '../../../../ports/registry.ts';
import type { ShardCounts } from './definition.ts';
import { initialShards, readShardCounts, settleShards, type TableShards } from './shard-counts.ts';

/** Largest age in ms of the cached shard counts that a reader may use. */
const freshMs = 30_000;
/**
 * Time in ms from when a process first sees new shards until it lets writers use them. Every reader fetches the shard
 * counts several times in this period; half a minute would be enough if all clocks ran alike.
 */
const settleMs = 120_000;
/** Time in ms after which a writer fetches the shard counts again if a fetch has failed. */
const retryMs = 5_000;

/**
 * Shard counts of the table's indexes, as this process knows them. The counts may grow while processes run, in two
 * steps: first readers query the new shards, and only when all readers do so, writers write to the new shards. A
 * process that learns of new shards late therefore misses nothing, and no two clocks are compared
 * (docs/table-design.md, "Growing").
 */
export class Shards {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #log: Log;
  #table: TableShards = initialShards;
  /** Start of the fetch that returned the known shard counts, by the wall clock and the monotonic clock. */
  #fetchedAt = { atMs: Number.NEGATIVE_INFINITY, monotonicMs: Number.NEGATIVE_INFINITY };
  /** Monotonic time at which this process first saw the current revision of the shard counts. */
  #seenSinceMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(registry: Registry, clock: Clock, log: Log) {
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
  }

  /** Shard counts for readers, as far as this process knows them. The counts never fall. */
  get known(): ShardCounts {
    return this.#table.read;
  }

  /** Returns the shard counts for readers. They include every shard that any process wrote to before this call. */
  async countsToRead(): Promise<ShardCounts> {
    while (!this.#isFresh()) await this.#fetch();
    return this.#table.read;
  }

  /**
   * Returns the shard counts for writers. Counts older than half a minute are fetched again in the background. The old
   * counts are used until the fetch ends, which does no harm.
   */
  countsToWrite(): ShardCounts {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#fetchedAt.monotonicMs >= freshMs && nowMs - this.#triedAtMs >= retryMs) {
      this.#fetch().catch((err: unknown) => {
        this.#log.debug(
          { err },
          'could not read the shard counts; this process writes with the counts that it knows',
        );
      });
    }
    return this.#table.written;
  }

  /**
   * Returns true if the shard counts are less than 30 s old by both clocks: the monotonic clock may stop while the
   * machine is suspended, and the wall clock may be set.
   */
  #isFresh(): boolean {
    const { atMs, monotonicMs } = this.#fetchedAt;
    return this.#clock.monotonic() - monotonicMs < freshMs && Math.abs(this.#clock.now() - atMs) < freshMs;
  }

  /**
   * Fetches the shard counts from the table. Concurrent callers share one fetch; the counts are as old as the start of
   * the fetch, so each caller checks their age again.
   */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const startedAt = { atMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() };
    this.#triedAtMs = startedAt.monotonicMs;
    this.#adopt(await readShardCounts(this.#registry));
    this.#fetchedAt = startedAt;
    await this.#settle();
  }

  #adopt(found: TableShards): void {
    const { read, rev } = this.#table;
    if (found.rev === rev) return;
    // The registry entry with the shard counts was deleted, but the shards still hold index entries.
    if (found.read.list < read.list || found.read.due < read.due) return;
    this.#table = found;
    this.#seenSinceMs = this.#clock.monotonic();
    this.#log.info({ read: found.read, written: found.written }, 'the shard counts of the table changed');
  }

  async #settle(): Promise<void> {
    const { read, written, rev } = this.#table;
    const isSettled = read.list === written.list && read.due === written.due;
    if (isSettled || this.#clock.monotonic() - this.#seenSinceMs < settleMs) return;
    try {
      // A refused write means that another process changed the shard counts; the next fetch reads the new ones.
      if (!(await settleShards(this.#registry, this.#table)) || rev === 'absent') return;
    } catch (err) {
      this.#log.debug(
        { err },
        'could not allow writes to the new shards; this or another process will try again',
      );
      return;
    }
    this.#adopt({ read, written: read, rev: rev + 1 });
  }
}
