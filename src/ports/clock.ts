/**
 * Provides everything by which two runs of a program could differ: time, randomness and the order of callbacks. Timers,
 * `Date` and `Math.random` are lint errors everywhere else, so that the simulation controls all of them.
 */
export interface Clock {
  /**
   * Returns the time in ms since the epoch. The time may jump, and may differ between nodes by up to
   * `timing.clockGuardMs`.
   */
  now(): number;
  /**
   * Returns the time of the machine's own clock in ms since the epoch, without any correction. It is only for times that
   * a library has taken from that clock or compares with it, such as the deadlines of grpc-js: `now` may differ by 20 s.
   */
  machineNow(): number;
  /** Returns the time in ms since an arbitrary start. It never goes back, so it is used to measure durations. */
  monotonic(): number;
  /**
   * Resolves after `ms`, or at once if the signal is aborted, and never rejects. It does not keep the process alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `run` once after `ms`, and returns a function that cancels the call. The timer does not keep the process
   * alive.
   */
  after(ms: number, run: () => void): () => void;
  /**
   * Calls `run` after the input of this turn of the event loop was read, so that work that arrived together is batched.
   */
  soon(run: () => void): void;
  /** Returns a number in [0, 1). */
  random(): number;
  /** Returns a time-ordered UUID (version 7). */
  uuid(): string;
  /**
   * Returns 8 random bytes as 11 characters of base64url. Unlike a number of `random`, nobody can compute them from earlier
   * ones.
   */
  secret(): string;
}

/** The time of another clock, as one response of a service contained it, in whole seconds. */
export interface TimeSample {
  /** The time in the response, in ms since the epoch. The other clock was at this time or up to a second later. */
  readonly serverMs: number;
  /** When the request was sent, by this process's `monotonic`. */
  readonly requestedAtMs: number;
  /** When the response arrived, by this process's `monotonic`. */
  readonly receivedAtMs: number;
}

/** Measures the offset of this machine's clock by the times in a service's responses. */
export interface Timekeeper {
  addSample(sample: TimeSample): void;
}
