import { brokerClosed } from './sqs/errors.ts';

/** What a close waits for, and nobody begins after it. */
export class InFlightTracker {
  readonly #closing = new AbortController();
  readonly #going = new Set<Promise<unknown>>();

  /** Aborted by the close. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** @throws HoldfastError UNAVAILABLE, reason STORE_FAILED: it is closed, and nothing was begun. */
  async do<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing.aborted) throw brokerClosed();
    return this.track(work());
  }

  track<T>(work: Promise<T>): Promise<T> {
    this.#going.add(work);
    const done = (): void => void this.#going.delete(work);
    work.then(done, done);
    return work;
  }

  /** `last`: what the first close begins. Idempotent. */
  async close(last: () => void = () => {}): Promise<void> {
    if (!this.closing.aborted) {
      this.#closing.abort();
      last();
    }
    await Promise.allSettled(this.#going);
  }
}
