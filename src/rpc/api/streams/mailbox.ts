/** Many put, one takes. A putter waits until its value was taken, so that nothing heaps up for a slow taker. */
export class Mailbox<T> {
  readonly #waiting: { readonly value: T; readonly taken: () => void }[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when the value was taken, or never will be. */
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
