/** Of a circuit breaker: passes all, refuses new work, or tries whether it would go again. */
export type BreakerState = 'closed' | 'open' | 'halfOpen';

/** How it goes with one thing that an engine calls. The counts only rise. */
export interface DependencyLoad {
  readonly state: BreakerState;
  /** How often its breaker opened. */
  readonly opened: number;
  /** Requests that were answered with a throttle, those that were sent again included. */
  readonly throttled: number;
  /** Requests that were not answered, or by an error of the service's own. */
  readonly failed: number;
  /** Calls under way now. */
  readonly inFlight: number;
  /** Calls that wait for others to end. */
  readonly waiting: number;
}

export interface LoadView {
  /** By name, such as `table` and `queues`. */
  readonly dependencies: Readonly<Record<string, DependencyLoad>>;
  readonly submissions: {
    readonly admitted: number;
    readonly refused: number;
    /** Admitted and not yet answered. */
    readonly inFlight: number;
    /** How many may be in flight now. */
    readonly limit: number;
  };
}

/** What an engine does against more load than what it stands on carries. */
export interface Overload {
  /**
   * Asked before any work is done for so many submissions; answers what to call when they are done.
   *
   * @throws HoldfastError RESOURCE_EXHAUSTED, reason STORE_BUSY, with `retryAfterMs`: nothing was done.
   */
  admit(submissions: number): () => void;
  /** As it is at this moment, for metrics and health. */
  view(): LoadView;
}
