/** The faults that the proxies for DynamoDB and SQS can inject into any call. An undefined fault is off. */
export interface CommonFaults {
  /**
   * Delays each call by `fixedMs` and a random part up to `jitterMs`, which the seed decides. Half of the delay comes before
   * the proxy forwards the call, the other half before it returns the response.
   */
  readonly latency?: { readonly fixedMs: number; readonly jitterMs: number } | undefined;
  /**
   * For each kind of fault, the share of calls (0 to 1) that get it. The seed and the call's number decide which
   * calls.
   */
  readonly chance?: Chances | undefined;
}

export interface Chances {
  /** The share of calls whose request is lost: the caller's socket is destroyed, and the request is not forwarded. */
  readonly loseRequest?: number | undefined;
  /** The share of calls whose answer is lost: the request takes effect, then the caller's socket is destroyed. */
  readonly loseAnswer?: number | undefined;
  /** The share of calls that the proxy answers with HTTP 500, without forwarding the request. */
  readonly serverError?: number | undefined;
  /** The share of calls that the proxy answers with a throttle, even if the token buckets would admit the call. */
  readonly throttle?: number | undefined;
}
