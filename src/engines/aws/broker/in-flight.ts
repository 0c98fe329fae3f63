import { brokerClosed } from './sqs/errors.ts';

/** Tracks a broker's calls in flight. `close()` waits for these calls and rejects new calls. */
export class InFlightTracker {
  readonly #closing = new AbortController();
  readonly #pending = new Set<Promise<unknown>>();

  /** An abort signal that fires at the first `close()`. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Starts a call and tracks it until it has ended.
   *
   * @throws HoldfastError UNAVAILABLE, reason STORE_FAILED, after `close()`; `work` is then not started.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing.aborted) throw brokerClosed();
    return this.track(work());
  }

  /** Tracks a call that has been started elsewhere. Works after `close()` too. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const done = (): void => void this.#pending.delete(work);
    work.then(done, done);
    return work;
  }

  /**
   * Waits until all tracked calls have ended. The first `close()` also runs `onFirstClose`, which may track further
   * calls. Idempotent.
   */
  async close(onFirstClose: () => void = () => {}): Promise<void> {
    if (!this.closing.aborted) {
      this.#closing.abort();
      onFirstClose();
    }
    await Promise.allSettled(this.#pending);
  }
}
