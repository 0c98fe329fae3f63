/**
 * Keeps the results of a pure function for distinct arguments, so that each is computed once. It forgets all of them when there
 * are too many: that costs nothing for each use, and values that are never repeated cannot fill the memory.
 */
export class Memo<K, V> {
  readonly #known = new Map<K, V>();
  readonly #most: number;

  /** `most` is the number of distinct arguments whose results are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: K): V | undefined {
    return this.#known.get(key);
  }

  /** Keeps a result and returns it. */
  set(key: K, value: V): V {
    if (this.#known.size >= this.#most) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}
