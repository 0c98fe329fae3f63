import { brokerClosed } from './sqs/errors.ts';

/** Tracks calls in flight: `close()` waits for them and rejects new ones. */
export class InFlightTracker {
  readonly #closing = new AbortController();
  readonly #pending = new Set<Promise<unknown>>();

  /** A signal that the first `close()` aborts. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Starts the work and tracks it.
   *
   * @throws HoldfastError UNAVAILABLE, reason STORE_FAILED, after `close()`; the work is then not started.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing.aborted) throw brokerClosed();
    return this.track(work());
  }

  /** Tracks work that has started already, also after `close()`. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const done = (): void => void this.#pending.delete(work);
    work.then(done, done);
    return work;
  }

  /** Waits for all tracked work. The first call also runs `onFirstClose`, which may track more. Idempotent. */
  async close(onFirstClose: () => void = () => {}): Promise<void> {
    if (!this.closing.aborted) {
      this.#closing.abort();
      onFirstClose();
    }
    await Promise.allSettled(this.#pending);
  }
}
