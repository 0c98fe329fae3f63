/**
 * A queue in memory with many writers and one reader. Each writer waits until its value is read, which bounds the
 * queue.
 */
export class Mailbox<T> {
  readonly #waiting: { readonly value: T; readonly taken: () => void }[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Adds a value to the mailbox. Resolves once the reader has taken the value, or once the mailbox is closed. */
  put(value: T): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ value, taken });
      this.#wake?.();
    });
  }

  async take(): Promise<T> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        next.taken();
        return next.value;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  close(): void {
    this.#closed = true;
    for (const { taken } of this.#waiting.splice(0)) taken();
  }
}
