import type { Clock } from '../../../../ports/clock.ts';
import type { Log } from '../../../../ports/log.ts';
import type { Registry } from '../../../../ports/registry.ts';
import type { ShardCounts } from './definition.ts';
import { initialShards, readShardCounts, settleShards, type TableShards } from './shard-counts.ts';

/** Largest age in ms of the counts that a reader may use. */
const freshMs = 30_000;
/**
 * Time in ms between the first sight of a growth and its release to writers. Every reader fetches the counts several
 * times within it; half a minute would do if all clocks ran alike.
 */
const settleMs = 120_000;
/** Time in ms after which a writer fetches the counts again if a fetch has failed. */
const retryMs = 5_000;

/**
 * Shard counts of the table's indexes, as this process knows them. They may grow while processes run, in two steps:
 * first readers query the new shards, and only when all readers do so, writers write to them. A process that learns
 * of a growth late therefore misses nothing, and no two clocks are compared (docs/table-design.md, "Growing").
 */
export class Shards {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #log: Log;
  #table: TableShards = initialShards;
  /** Start of the fetch that returned the known counts, by the wall clock and the monotonic clock. */
  #fetchedAt = { atMs: Number.NEGATIVE_INFINITY, monotonicMs: Number.NEGATIVE_INFINITY };
  /** Monotonic time at which this process first saw the current revision. */
  #seenSinceMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(registry: Registry, clock: Clock, log: Log) {
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
  }

  /** Counts for reading, as far as this process knows them. They never fall. */
  get known(): ShardCounts {
    return this.#table.read;
  }

  /** Returns the counts for reading. They include every shard that was written to before this call. */
  async countsToRead(): Promise<ShardCounts> {
    while (!this.#isFresh()) await this.#fetch();
    return this.#table.read;
  }

  /**
   * Returns the counts for writing. Counts older than half a minute are fetched again in the background and used
   * until the fetch ends, which does no harm.
   */
  countsToWrite(): ShardCounts {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#fetchedAt.monotonicMs >= freshMs && nowMs - this.#triedAtMs >= retryMs) {
      this.#fetch().catch((err: unknown) => {
        this.#log.debug({ err }, 'could not read the shard counts; writing with the known ones');
      });
    }
    return this.#table.written;
  }

  /**
   * Checks both clocks: the monotonic clock may stop while the machine is suspended, and the wall clock may be set.
   */
  #isFresh(): boolean {
    const { atMs, monotonicMs } = this.#fetchedAt;
    return this.#clock.monotonic() - monotonicMs < freshMs && Math.abs(this.#clock.now() - atMs) < freshMs;
  }

  /**
   * Fetches the counts. Concurrent callers share one fetch; its result is as old as the start of the fetch, so each
   * caller checks the age again.
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
    // The registry entry was deleted, but the shards that it counted still hold index entries.
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
      // A refused write means that another process changed the entry; the next fetch reads it.
      if (!(await settleShards(this.#registry, this.#table)) || rev === 'absent') return;
    } catch (err) {
      this.#log.debug(
        { err },
        'could not release new shards to writers; this or another process will try again',
      );
      return;
    }
    this.#adopt({ read, written: read, rev: rev + 1 });
  }
}
