import type { DatabaseSync } from 'node:sqlite';
import type { Statements } from '../rows/statements.ts';
import { keyHash } from './key-hash.ts';
import { KeyOrder } from './key-order.ts';
import { bucketCount, RecentHashes } from './recent-hashes.ts';

/** The value of `superseded` of a task that has its key, but not in the index `task_key`: the key is found by its hash. */
export const hashed = 0;
/** The row of `counter` with a row number: the hash of no task after it needs to be in memory. */
export const storedUpTo = 'key_hash';

/** How many hashes are kept in memory, and in how many of the newest tasks. */
export interface HashedKeySizes {
  /** With more hashes than this in memory, each commit writes some of them. */
  readonly recent: number;
  /** The number of newest tasks whose rows a start reads, because hashes of them may be in memory only. */
  readonly tasks: number;
}

export const hashedKeySizes: HashedKeySizes = { recent: 65_536, tasks: 262_144 };

/** One commit writes this many hashes at least, if any. */
const leastWritten = 256;
/** In memory may be this many hashes more than twice the usual number; the keys beyond go to the index. */
const mostAhead = 4_096;
/** The row number up to which hashes are stored is found and written again after each part of the buckets. */
const partBuckets = bucketCount / 8;

/**
 * Finds idempotency keys that do not ascend. Each of them would be inserted at another page of the index `task_key`, so
 * that a commit of 64 submissions writes 64 pages. Instead only the hash of such a key is kept: first in memory, and later,
 * in the order of the hashes and many to a page, in the SQLite table `key_hash`. After a crash the hashes in memory are made
 * again from the newest tasks, whose rows have the keys.
 */
export class HashedKeys {
  readonly #db: DatabaseSync;
  readonly #sql: Statements;
  readonly #sizes: HashedKeySizes;
  readonly #recent = new RecentHashes();
  readonly #order = new KeyOrder();
  /** No hashed key of a queue is greater than this, by the number of the queue. Written in the table `key_bound`. */
  readonly #bounds = new Map<number, string>();
  /** The next bucket whose hashes are written. */
  #nextBucket = 0;
  /** The hashes of all tasks up to this row number are in the table. */
  #storedUpTo = 0;
  /** The changes of `#recent` by the open transaction: for each its hash, its row number, and 1 if it was added. */
  readonly #changes: number[] = [];
  /** The bucket before which the open transaction has written. */
  #writtenTo: number | undefined;
  /** True when a part of the buckets was written since the row number was found up to which all hashes are stored. */
  #isPartWritten = true;
  #lastKey = '';
  #lastQueue = 0;
  #lastHash = 0;

  constructor(db: DatabaseSync, sql: Statements, sizes: HashedKeySizes) {
    this.#db = db;
    this.#sql = sql;
    this.#sizes = sizes;
    const [stored] = (sql.counter.get(storedUpTo) as unknown as [number] | undefined) ?? [0];
    this.#storedUpTo = stored;
    this.#loadBounds();
    const rows = sql.hashedAfter.iterate(stored) as Iterable<unknown> as Iterable<[number, number, string]>;
    for (const [seq, queue, key] of rows) this.#recent.add(keyHash(queue, key), seq);
  }

  /** Returns whether a task with a hashed key can have this key. */
  mayHave(queue: number, key: string): boolean {
    const bound = this.#bounds.get(queue);
    return bound !== undefined && key <= bound;
  }

  /** Returns the row number of the task with the hash of a key. Another key may have the same hash. */
  find(queue: number, key: string): number | undefined {
    const hash = this.#hashOf(queue, key);
    const recent = this.#recent.find(hash);
    if (recent !== undefined) return recent;
    return (this.#sql.seqOfHash.get(hash) as unknown as [number] | undefined)?.[0];
  }

  /**
   * Records the key of a submission. Returns whether it belongs in the index `task_key`, because it ascends or because
   * the memory for hashes is full.
   */
  belongsInIndex(queue: number, key: string): boolean {
    if (this.#order.isAscending(queue, key)) return true;
    return (
      this.#recent.size >= this.#sizes.recent * 2 + mostAhead ||
      !this.#recent.hasRoom(this.#hashOf(queue, key))
    );
  }

  /** Adds the key of a new task within a transaction. `find` must have found no task with its hash. */
  add(queue: number, key: string, seq: number): void {
    const hash = this.#hashOf(queue, key);
    this.#recent.add(hash, seq);
    this.#changes.push(hash, seq, 1);
    if (this.mayHave(queue, key)) return;
    this.#bounds.set(queue, key);
    this.#sql.saveKeyBound.run(queue, key);
  }

  /** Removes the key of a task within a transaction, if it is a hashed one. */
  remove(queue: number, key: string, seq: number): void {
    if (!this.mayHave(queue, key)) return;
    const hash = this.#hashOf(queue, key);
    if (this.#recent.remove(hash, seq)) this.#changes.push(hash, seq, 0);
    this.#sql.deleteKeyHash.run(hash, seq);
  }

  /**
   * Writes hashes to the table `key_hash` within a transaction, if too many are in memory, or if one of them may be that
   * of too old a task. Returns the number of rows written.
   */
  write(lastSeq: number): number {
    const excess = this.#recent.size - this.#sizes.recent;
    if (excess < leastWritten && lastSeq - this.#storedUpTo <= this.#sizes.tasks) return 0;
    let rows = 0;
    if (this.#isPartWritten) rows += this.#saveStoredUpTo(lastSeq);
    this.#writtenTo = this.#recent.visit(this.#nextBucket, Math.max(excess, leastWritten), (hash, seq) => {
      this.#sql.insertKeyHash.run(hash, seq);
      rows++;
    });
    return rows;
  }

  /** Must be called after each commit. */
  afterCommit(): void {
    this.#changes.length = 0;
    if (this.#writtenTo === undefined) return;
    const from = this.#nextBucket;
    this.#recent.removeBuckets(from, this.#writtenTo);
    this.#isPartWritten = Math.floor(from / partBuckets) !== Math.floor(this.#writtenTo / partBuckets);
    this.#nextBucket = this.#writtenTo % bucketCount;
    this.#writtenTo = undefined;
  }

  /** Must be called after a transaction was rolled back. */
  rollBack(): void {
    this.#writtenTo = undefined;
    for (let at = this.#changes.length - 3; at >= 0; at -= 3) {
      const [hash = 0, seq = 0, wasAdded] = this.#changes.slice(at, at + 3);
      if (wasAdded === 1) this.#recent.remove(hash, seq);
      else this.#recent.add(hash, seq);
    }
    this.#changes.length = 0;
    this.#bounds.clear();
    this.#loadBounds();
  }

  #saveStoredUpTo(lastSeq: number): number {
    this.#isPartWritten = false;
    let lowest = lastSeq + 1;
    this.#recent.visit(0, Number.POSITIVE_INFINITY, (_, seq) => {
      lowest = Math.min(lowest, seq);
    });
    this.#storedUpTo = lowest - 1;
    this.#sql.saveSeq.run(storedUpTo, this.#storedUpTo);
    return 1;
  }

  #loadBounds(): void {
    for (const { queue, key } of this.#db.prepare('SELECT queue, key FROM key_bound').iterate())
      this.#bounds.set(queue as number, key as string);
  }

  #hashOf(queue: number, key: string): number {
    if (key === this.#lastKey && queue === this.#lastQueue) return this.#lastHash;
    this.#lastKey = key;
    this.#lastQueue = queue;
    this.#lastHash = keyHash(queue, key);
    return this.#lastHash;
  }
}
