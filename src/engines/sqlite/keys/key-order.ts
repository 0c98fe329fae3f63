/** The number of keys of a queue after which its floor is the greatest of them. */
const windowKeys = 1_024;

/** The greatest idempotency keys that a queue got lately. */
interface Lately {
  floor: string;
  greatest: string;
  count: number;
}

/**
 * Tells ascending idempotency keys from others. Keys that ascend touch one page of the index in a commit, also if several
 * callers take turns. Only an estimate: what depends on it is right for any key.
 */
export class KeyOrder {
  readonly #queues = new Map<number, Lately>();

  /** Records a key of a queue. Returns whether it is greater than those before the last thousand or so. */
  isAscending(queue: number, key: string): boolean {
    const lately = this.#queues.get(queue);
    if (lately === undefined) {
      this.#queues.set(queue, { floor: '', greatest: key, count: 1 });
      return true;
    }
    if (key > lately.greatest) lately.greatest = key;
    const isAscending = key > lately.floor;
    if (++lately.count === windowKeys) {
      lately.floor = lately.greatest;
      lately.greatest = '';
      lately.count = 0;
    }
    return isAscending;
  }
}
