import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { DependencyLoad } from '../../../ports/overload.ts';
import { Breaker } from './breaker.ts';
import { ConcurrencyLimiter, type ConcurrencyLimits } from './concurrency-limiter.ts';
import { Outages } from './outages.ts';

/** The result of one HTTP request of the AWS SDK. Each retry of a call is a request of its own. */
export type RequestResult = 'answer' | 'throttle' | 'failure';

export interface RequestDetails {
  readonly first: boolean;
  readonly error?: string | undefined;
  readonly place?: number | undefined;
}

/**
 * A throttled or failed request is logged only if no request to the service was throttled or failed in the 10 s
 * before.
 */
const quietMs = 10_000;
const titles: Readonly<Record<string, string>> = { table: 'The table', queues: 'SQS' };

/**
 * The load of an AWS service that this engine calls: its circuit breaker, its concurrency limiter, and counts of its
 * requests.
 */
export class Dependency {
  readonly name: string;
  /** The name for people. */
  readonly title: string;
  readonly breaker: Breaker;
  readonly limiter: ConcurrencyLimiter;
  readonly outages: Outages;
  readonly #clock: Clock;
  readonly #log: Log;
  #throttled = 0;
  #failed = 0;
  #lastTroubleAtMs = Number.NEGATIVE_INFINITY;
  /** When the current series of throttled or failed requests began, in ms since the epoch. */
  #troubledSinceMs = 0;

  constructor(name: string, clock: Clock, log: Log, limits?: ConcurrencyLimits) {
    this.name = name;
    this.title = titles[name] ?? name;
    this.breaker = new Breaker(name, clock, log);
    this.limiter = new ConcurrencyLimiter(limits);
    this.outages = new Outages(clock, () => this.breaker.state === 'closed');
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Records the result of one HTTP request to the service. `first` is false if an earlier request of the same call was
   * throttled or failed: the breaker counts calls, not requests. `place` is the shard to which it writes, if it is one alone.
   */
  record(result: RequestResult, operation: string, { first, error, place }: RequestDetails): void {
    if (result === 'throttle') this.#throttled++;
    else if (result === 'failure') this.#failed++;
    if (result !== 'answer') this.#noteTrouble(result, operation, error);
    // Polls of SQS do not count for the breaker, since an open breaker does not stop polls, and failed polls have a
    // backoff of their own.
    if (operation.startsWith('ReceiveMessage')) return;
    this.outages.record(result === 'answer');
    if (result === 'answer') {
      if (first) this.breaker.good(place);
    } else if (first) this.breaker.bad(place);
  }

  view(): DependencyLoad {
    const { state, halfOpenInMs } = this.breaker;
    const isTroubled = this.#clock.monotonic() - this.#lastTroubleAtMs <= quietMs;
    return {
      title: this.title,
      state,
      opened: this.breaker.opened,
      throttled: this.#throttled,
      failed: this.#failed,
      troubledSinceMs: isTroubled ? this.#troubledSinceMs : undefined,
      retryAtMs: state === 'open' ? this.#clock.now() + halfOpenInMs : undefined,
      inFlight: this.limiter.inFlight,
      waiting: this.limiter.waiting,
    };
  }

  #noteTrouble(result: RequestResult, operation: string, error: string | undefined): void {
    const nowMs = this.#clock.monotonic();
    const isNew = nowMs - this.#lastTroubleAtMs > quietMs;
    this.#lastTroubleAtMs = nowMs;
    if (!isNew) return;
    this.#troubledSinceMs = this.#clock.now();
    const message = result === 'throttle' ? 'first throttle' : 'first failure';
    this.#log.warn({ dependency: this.name, operation, error }, `${message}; the SDK retries the request`);
  }
}
