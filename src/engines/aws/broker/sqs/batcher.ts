import type { Clock } from '../../../../ports/clock.ts';

/** The most items and bytes that SQS accepts in one batch call. */
const batchItems = 10;
const batchBytes = 256 * 1_024;

interface PendingItem<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the items (messages or receipts) that are added within one turn of the event loop, and sends them in batch
 * calls to SQS of at most 10 items and 256 KB. A single item is not delayed, unless the batcher waits for others.
 */
export class SqsBatcher<T, R> {
  readonly #clock: Clock;
  readonly #send: (batch: readonly T[]) => Promise<readonly R[]>;
  readonly #bytesOf: (item: T) => number;
  readonly #waitMs: number;
  #pending: PendingItem<T, R>[] = [];
  #cancelWait: (() => void) | undefined;

  /**
   * `send` makes one batch call and returns a result for each item of the batch, in the order of the items. With `waitMs`
   * an item waits for so long for nine others.
   */
  constructor(
    clock: Clock,
    send: (batch: readonly T[]) => Promise<readonly R[]>,
    bytesOf: (item: T) => number = () => 0,
    waitMs = 0,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#bytesOf = bytesOf;
    this.#waitMs = waitMs;
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, resolve, reject });
      if (this.#waitMs > 0) this.#flushFull();
      else if (this.#pending.length === 1) this.#clock.soon(() => this.#flush());
    });
  }

  /** Sends the gathered items once there are ten, or once the first one has waited for `waitMs`. */
  #flushFull(): void {
    if (this.#pending.length >= batchItems) this.#flush();
    else this.#cancelWait ??= this.#clock.after(this.#waitMs, () => this.#flush());
  }

  #flush(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    const pending = this.#pending;
    this.#pending = [];
    let batch: PendingItem<T, R>[] = [];
    let bytes = 0;
    for (const one of pending) {
      const more = this.#bytesOf(one.item);
      if (batch.length === batchItems || (batch.length > 0 && bytes + more > batchBytes)) {
        void this.#call(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(one);
      bytes += more;
    }
    void this.#call(batch);
  }

  async #call(batch: readonly PendingItem<T, R>[]): Promise<void> {
    try {
      const results = await this.#send(batch.map((one) => one.item));
      for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as R);
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }
}
