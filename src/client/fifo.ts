/** A first-in-first-out queue whose `shift` takes constant time on average, unlike that of an array. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Removes and returns the first item that matches. It takes linear time. */
  remove(matches: (item: T) => boolean): T | undefined {
    const at = this.#items.findIndex((item) => item !== undefined && matches(item));
    if (at < 0) return undefined;
    if (at === this.#head) return this.shift();
    const [item] = this.#items.splice(at, 1);
    return item;
  }

  /** Returns the items in order. */
  toArray(): T[] {
    return this.#items.slice(this.#head) as T[];
  }

  /** Empties the queue and returns its items in order. */
  clear(): T[] {
    const rest = this.toArray();
    this.#items = [];
    this.#head = 0;
    return rest;
  }
}
