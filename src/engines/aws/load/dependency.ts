import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { DependencyLoad } from '../../../ports/overload.ts';
import { Breaker } from './breaker.ts';
import { ConcurrencyLimiter, type ConcurrencyLimits } from './concurrency-limiter.ts';

/** What a request of the SDK's met: each one, also those that it sends again. */
export type Met = 'answer' | 'throttle' | 'failure';

/** A throttle after so long without one is told in the log. */
const quietMs = 10_000;

/** Something that this engine calls: how it goes with it, and whose calls go first. */
export class Dependency {
  readonly name: string;
  readonly breaker: Breaker;
  readonly limiter: ConcurrencyLimiter;
  readonly #clock: Clock;
  readonly #log: Log;
  #throttled = 0;
  #failed = 0;
  #troubledAtMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, clock: Clock, log: Log, limits?: ConcurrencyLimits) {
    this.name = name;
    this.breaker = new Breaker(name, clock, log);
    this.limiter = new ConcurrencyLimiter(limits);
    this.#clock = clock;
    this.#log = log;
  }

  /** One request; `first`: the first trouble of its call. The breaker counts calls, not requests. */
  record(met: Met, operation: string, first: boolean, error?: string): void {
    if (met === 'throttle') this.#throttled++;
    else if (met === 'failure') this.#failed++;
    if (met !== 'answer') this.#tell(met, operation, error);
    // A poll says little: it is not what is refused while the breaker is open, and pauses by itself.
    if (operation.startsWith('ReceiveMessage')) return;
    if (met === 'answer') {
      if (first) this.breaker.good();
    } else if (first) this.breaker.bad();
  }

  view(): DependencyLoad {
    return {
      state: this.breaker.state,
      opened: this.breaker.opened,
      throttled: this.#throttled,
      failed: this.#failed,
      inFlight: this.limiter.inFlight,
      waiting: this.limiter.waiting,
    };
  }

  #tell(met: Met, operation: string, error: string | undefined): void {
    const nowMs = this.#clock.monotonic();
    const isNew = nowMs - this.#troubledAtMs > quietMs;
    this.#troubledAtMs = nowMs;
    if (!isNew) return;
    const said = met === 'throttle' ? 'first throttle' : 'first failure';
    this.#log.warn({ dependency: this.name, operation, error }, `${said}; the SDK sends it again`);
  }
}
