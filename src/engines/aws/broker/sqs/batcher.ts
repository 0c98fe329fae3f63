import type { Clock } from '../../../../ports/clock.ts';

/** What one call to SQS takes. */
const batchItems = 10;
const batchBytes = 256 * 1_024;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers what comes within one turn of the event loop and sends it in calls of at most 10 items and 256 KB. No timer:
 * what comes alone goes alone.
 */
export class SqsBatcher<T, R> {
  readonly #clock: Clock;
  readonly #send: (batch: readonly T[]) => Promise<readonly R[]>;
  readonly #bytesOf: (item: T) => number;
  #waiting: Waiting<T, R>[] = [];

  /** `send` answers a result for each item, in order. */
  constructor(
    clock: Clock,
    send: (batch: readonly T[]) => Promise<readonly R[]>,
    bytesOf: (item: T) => number = () => 0,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#bytesOf = bytesOf;
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length === 1) this.#clock.soon(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let batch: Waiting<T, R>[] = [];
    let bytes = 0;
    for (const one of waiting) {
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

  async #call(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#send(batch.map((one) => one.item));
      for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as R);
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }
}
