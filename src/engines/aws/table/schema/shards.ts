import type { Clock } from '../../../../ports/clock.ts';
import type { Log } from '../../../../ports/log.ts';
import type { Registry } from '../../../../ports/registry.ts';
import type { ShardCounts } from './definition.ts';
import { initialShards, settleShards, shardsOf, type TableShards } from './shard-counts.ts';

/** No reader goes by counts that it asked for longer ago. */
const freshMs = 30_000;
/**
 * So long after a growth was first seen, whoever saw it lets writers use the new shards. Every reader has asked anew
 * meanwhile, several times over: half a minute would do if all clocks ran alike.
 */
const settleMs = 120_000;
/** A writer that could not learn asks no sooner again. */
const againMs = 5_000;

/**
 * How many shards the table's indexes have, as this process knows. They may grow while processes run, in two steps:
 * first readers look at the new ones, and only when all do, writers write there. So a process that is slow to learn
 * misses nothing, and no two clocks are compared (docs/table-design.md, "Growing").
 */
export class Shards {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #log: Log;
  #table: TableShards = initialShards;
  /** When what is known was asked for, by both clocks. */
  #asked = { atMs: Number.NEGATIVE_INFINITY, monotonicMs: Number.NEGATIVE_INFINITY };
  /** Since when this revision is known. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(registry: Registry, clock: Clock, log: Log) {
    this.#registry = registry;
    this.#clock = clock;
    this.#log = log;
  }

  /** The counts to look by, as far as they are known: never fewer than before. */
  get known(): ShardCounts {
    return this.#table.read;
  }

  /** The counts to look by: whatever was written before this call is in one of so many. */
  async toRead(): Promise<ShardCounts> {
    while (!this.#isFresh()) await this.#ask();
    return this.#table.read;
  }

  /** The counts to write by. What is older than half a minute is asked for anew, and meanwhile used: that does no harm. */
  toWrite(): ShardCounts {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#asked.monotonicMs >= freshMs && nowMs - this.#triedMs >= againMs) {
      this.#ask().catch((err: unknown) => {
        this.#log.debug(
          { err },
          'could not ask how many shards the table has; the known ones are written to',
        );
      });
    }
    return this.#table.written;
  }

  /** By both clocks: one may stand still while the machine does, the other may be set. */
  #isFresh(): boolean {
    const { atMs, monotonicMs } = this.#asked;
    return this.#clock.monotonic() - monotonicMs < freshMs && Math.abs(this.#clock.now() - atMs) < freshMs;
  }

  /** One at a time: what those get who join is as old as it was asked for, and they look at that. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const asked = { atMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() };
    this.#triedMs = asked.monotonicMs;
    this.#learn(await shardsOf(this.#registry));
    this.#asked = asked;
    await this.#settle();
  }

  #learn(found: TableShards): void {
    const { read, rev } = this.#table;
    if (found.rev === rev) return;
    // The entry is gone: what it counted is there nevertheless.
    if (found.read.list < read.list || found.read.due < read.due) return;
    this.#table = found;
    this.#sinceMs = this.#clock.monotonic();
    this.#log.info({ read: found.read, written: found.written }, 'the table has other counts of shards');
  }

  async #settle(): Promise<void> {
    const { read, written, rev } = this.#table;
    const isSettled = read.list === written.list && read.due === written.due;
    if (isSettled || this.#clock.monotonic() - this.#sinceMs < settleMs) return;
    try {
      // Refused: the next answer tells why.
      if (!(await settleShards(this.#registry, this.#table)) || rev === 'absent') return;
    } catch (err) {
      this.#log.debug({ err }, 'could not release new shards to writers; this or another process will');
      return;
    }
    this.#learn({ read, written: read, rev: rev + 1 });
  }
}
