/**
 * A mutex for each key, within this process. Work with the same key runs one piece after another, in the order of the
 * calls, so that this process does not conflict with itself on one DynamoDB item.
 */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const previous = this.#last.get(key);
    const current = previous === undefined ? work() : previous.then(work, work);
    this.#last.set(key, current);
    const done = (): void => {
      if (this.#last.get(key) === current) this.#last.delete(key);
    };
    current.then(done, done);
    return current;
  }
}
