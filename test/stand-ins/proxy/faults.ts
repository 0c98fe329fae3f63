/** What either proxy can do to any call. Each part is off where it is undefined. */
export interface CommonFaults {
  /** Half of it passes before a call is forwarded, half after it was answered; the jitter is drawn by the seed. */
  readonly latency?: { readonly fixedMs: number; readonly jitterMs: number } | undefined;
  /** Shares from 0 to 1, drawn by the seed and the call's number. */
  readonly chance?: Chances | undefined;
}

export interface Chances {
  /** The caller's socket is destroyed and nothing is forwarded. */
  readonly loseRequest?: number | undefined;
  /** The upstream does what it is asked, then the caller's socket is destroyed. */
  readonly loseAnswer?: number | undefined;
  /** HTTP 500, nothing forwarded. */
  readonly serverError?: number | undefined;
  /** Throttled, whatever the buckets say. */
  readonly throttle?: number | undefined;
}
