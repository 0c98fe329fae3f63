/** The number of buckets, each of which has the hashes of one range. */
const bucketCount = 4_096;
const bucketWidth = 2 ** 48 / bucketCount;
/** At most this many hashes are added to one bucket, so that keys that were made for one bucket slow no search down. */
const mostPerBucket = 256;

/**
 * Hashes of idempotency keys, each with the number of its task's row, in the order of the hashes. A hash takes 16 to 24
 * bytes: a bucket is a flat array of numbers, a hash and a row number in turn.
 */
export class RecentHashes {
  readonly #buckets: number[][] = Array.from({ length: bucketCount }, () => []);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  hasRoom(hash: number): boolean {
    return this.#bucket(hash).length < mostPerBucket * 2;
  }

  /** Returns the row number of a hash, or undefined. */
  find(hash: number): number | undefined {
    const bucket = this.#bucket(hash);
    for (let at = 0; at < bucket.length; at += 2) if (bucket[at] === hash) return bucket[at + 1];
    return undefined;
  }

  /** Adds a hash that `find` does not know. */
  add(hash: number, seq: number): void {
    this.#bucket(hash).push(hash, seq);
    this.#size++;
  }

  /** Removes a hash. Returns false if it is not there with this row number. */
  remove(hash: number, seq: number): boolean {
    const bucket = this.#bucket(hash);
    for (let at = 0; at < bucket.length; at += 2) {
      if (bucket[at] !== hash || bucket[at + 1] !== seq) continue;
      bucket.splice(at, 2);
      this.#size--;
      return true;
    }
    return false;
  }

  clear(): void {
    for (const bucket of this.#buckets) bucket.length = 0;
    this.#size = 0;
  }

  /**
   * Calls `visit` for the hashes of whole buckets from `from` on, until it was called `count` times or the last bucket is
   * reached. Returns the number of the next bucket, or `bucketCount` at the end.
   */
  visit(from: number, count: number, visit: (hash: number, seq: number) => void): number {
    let bucketNumber = from;
    for (let visited = 0; visited < count && bucketNumber < bucketCount; bucketNumber++) {
      const bucket = this.#buckets[bucketNumber] as number[];
      for (let at = 0; at < bucket.length; at += 2) visit(bucket[at] as number, bucket[at + 1] as number);
      visited += bucket.length / 2;
    }
    return bucketNumber;
  }

  /** Removes all hashes of the buckets `from` to just before `to`. */
  removeBuckets(from: number, to: number): void {
    for (let bucketNumber = from; bucketNumber < to; bucketNumber++) {
      this.#size -= (this.#buckets[bucketNumber] as number[]).length / 2;
      this.#buckets[bucketNumber] = [];
    }
  }

  #bucket(hash: number): number[] {
    return this.#buckets[Math.floor(hash / bucketWidth)] as number[];
  }
}

export { bucketCount };
