/**
 * Time, chance and turns: whatever would make two runs differ. Timers, Date and Math.random anywhere else are
 * lint errors, so that the simulation can drive everything.
 */
export interface Clock {
  /** Milliseconds since the epoch. May jump, and may differ between nodes by the clock guard. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For lengths of time. */
  monotonic(): number;
  /** Resolves after `ms`; at once where the signal is aborted. Never rejects. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms`; the answer cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
  /** Calls back when this turn's input has been read: what came together is done together. */
  soon(run: () => void): void;
  /** In [0, 1). */
  random(): number;
  /** A time-ordered UUID (version 7). */
  uuid(): string;
}

/** What an answer told of another clock, in whole seconds; when it was asked and heard by our `monotonic`. */
export interface TimeSample {
  /** Milliseconds since the epoch; the other clock then stood there or up to a second later. */
  readonly serverMs: number;
  readonly requestedAtMs: number;
  readonly receivedAtMs: number;
}

/** Learns how far this machine's clock is off. */
export interface Timekeeper {
  addSample(told: TimeSample): void;
}
