import { brokerClosed } from './sqs/errors.ts';

/** Tracks a broker's calls in flight. `close()` waits for these calls and rejects new calls. */
export class InFlightTracker {
  readonly #closing = new AbortController();
  #isClosed = false;
  readonly #pending = new Set<Promise<unknown>>();

  /** An abort signal that fires at the first `stopReceiving()` or `close()`. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Starts a call and tracks it until it has ended.
   *
   * @throws HoldfastError UNAVAILABLE, reason STORE_FAILED, after `close()`; `work` is then not started.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw brokerClosed();
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
   * Fires `closing`, so that no poll starts and open polls end soon. The first `stopReceiving()` also runs
   * `onFirstStop`, which may track further calls. Calls can still be started until `close()`.
   */
  stopReceiving(onFirstStop: () => void = () => {}): void {
    if (this.closing.aborted) return;
    this.#closing.abort();
    onFirstStop();
  }

  /**
   * Waits until all tracked calls have ended, and rejects new calls. Stops receiving first. Idempotent.
   */
  async close(onFirstStop?: () => void): Promise<void> {
    this.stopReceiving(onFirstStop);
    this.#isClosed = true;
    await Promise.allSettled(this.#pending);
  }
}
