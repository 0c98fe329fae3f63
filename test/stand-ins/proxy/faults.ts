/** The faults that both proxies can inject into any call. An undefined fault is off. */
export interface CommonFaults {
  /** A delay of each call, half before it is forwarded and half after it was answered. The seed decides the jitter. */
  readonly latency?: { readonly fixedMs: number; readonly jitterMs: number } | undefined;
  /** The shares of calls, from 0 to 1, that get a fault. The seed and the call's number decide which calls. */
  readonly chance?: Chances | undefined;
}

export interface Chances {
  /** The caller's socket is destroyed, and the request is not forwarded. */
  readonly loseRequest?: number | undefined;
  /** The request is forwarded and takes effect, then the caller's socket is destroyed. */
  readonly loseAnswer?: number | undefined;
  /** The proxy answers HTTP 500, and the request is not forwarded. */
  readonly serverError?: number | undefined;
  /** The proxy answers with a throttle, even if the token buckets would admit the call. */
  readonly throttle?: number | undefined;
}
