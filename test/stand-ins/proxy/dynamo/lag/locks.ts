/** A mutex per item, so that the result of a write can be read before the next write of the item starts. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  async with<T>(names: readonly string[], run: () => Promise<T>): Promise<T> {
    const held = [...new Set(names)];
    const before = held.map((name) => this.#tails.get(name));
    const { promise, resolve } = Promise.withResolvers<void>();
    // All items of a request are locked in the same turn of the event loop, so two requests cannot deadlock.
    for (const name of held) this.#tails.set(name, promise);
    try {
      await Promise.all(before);
      return await run();
    } finally {
      for (const name of held) if (this.#tails.get(name) === promise) this.#tails.delete(name);
      resolve();
    }
  }
}

/** A lock that many callers can hold at once in shared mode, or one caller alone in exclusive mode. */
export class SharedLock {
  #inside = 0;
  #alone: Promise<void> | undefined;
  #emptied: (() => void) | undefined;

  async shared<T>(run: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    this.#inside++;
    try {
      return await run();
    } finally {
      if (--this.#inside === 0) this.#emptied?.();
    }
  }

  async exclusive<T>(run: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      if (this.#inside > 0) await new Promise<void>((emptied) => (this.#emptied = emptied));
      return await run();
    } finally {
      this.#emptied = undefined;
      this.#alone = undefined;
      resolve();
    }
  }
}
