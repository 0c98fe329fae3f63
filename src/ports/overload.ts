/**
 * The state of a circuit breaker: `closed` passes all calls, `open` refuses new work, `halfOpen` passes a few calls to
 * see whether the service has recovered.
 */
export type BreakerState = 'closed' | 'open' | 'halfOpen';

/**
 * The load of one service that an engine calls. `opened`, `throttled` and `failed` count since the start of
 * the process.
 */
export interface DependencyLoad {
  /** The name for people, such as `The table`. */
  readonly title: string;
  readonly state: BreakerState;
  /** How often the circuit breaker opened. */
  readonly opened: number;
  /** The number of requests that were throttled, retries included. */
  readonly throttled: number;
  /** The number of requests that got no response, or a server error. */
  readonly failed: number;
  /**
   * Since when requests have been throttled or failed, with less than 10 s between two of them, in ms since the epoch.
   * Undefined if none was in the last 10 s.
   */
  readonly troubledSinceMs: number | undefined;
  /** When an open breaker passes calls again, in ms since the epoch. Undefined in the other states. */
  readonly retryAtMs: number | undefined;
  /** The number of calls in flight now. */
  readonly inFlight: number;
  /** The number of calls that wait now for other calls to end. */
  readonly waiting: number;
}

export interface LoadView {
  /** The load of each service, by a name such as `table` or `queues`. */
  readonly dependencies: Readonly<Record<string, DependencyLoad>>;
  readonly submissions: {
    readonly admitted: number;
    readonly refused: number;
    /** The number of submissions that were admitted and are not answered yet. */
    readonly inFlight: number;
    /** How many submissions may be in flight now. */
    readonly limit: number;
  };
}

/** Refuses submissions when the services below the engine are overloaded. */
export interface Overload {
  /**
   * Admits a number of submissions, before any work is done for them. Returns a function that the caller calls when the
   * submissions are answered.
   *
   * @throws HoldfastError RESOURCE_EXHAUSTED, reason STORE_BUSY, with `retryAfterMs`; nothing was done.
   */
  admit(submissions: number): () => void;
  /**
   * Returns when the store last ended an outage, in ms of the monotonic clock: now if an outage lasts, undefined if
   * there was none. While the store is out, no worker can renew a lease. Absent if the engine does not notice outages.
   */
  lastOutageEndMs?(): number | undefined;
  /** Returns the load of the engine at this moment, for metrics and health checks. */
  view(): LoadView;
}
