import { nextDelayMs } from '../../../core/backoff.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { BreakerState } from '../../../ports/overload.ts';
import { CallWindow, type RecentCalls } from './call-window.ts';

/**
 * The circuit breaker opens if at least 5 calls of the last 4 s were bad (throttled or not answered), and if the bad
 * calls are significantly more than a quarter of all calls.
 */
const leastBad = 5;
const toleratedShare = 0.25;
/** The number of standard deviations above the tolerated share at which a share of bad calls is significant. */
const beyondChance = 2.5;
/** A half-open breaker closes after 5 good calls and opens again after 3 bad ones, whichever comes first. */
const goodToClose = 5;
const badToReopen = 3;
/** A half-open breaker closes after this time in ms without a bad call, even if there are no calls at all. */
const idleMs = 10_000;
/** The time for which the breaker stays open. It doubles each time a half-open breaker opens again. */
const openTime = { firstMs: 1_000, longestMs: 4_000 } as const;

/**
 * Decides whether these calls to a service show an overload. Among few calls a larger share of bad calls may be chance, so the
 * share is compared by standard deviations.
 *
 * One hot shard of the list index affects a quarter of all submissions, and the other submissions must not be refused for that. Its
 * submissions are sent again and again, so that their share of the calls grows: therefore more than the tolerated share of the
 * calls `elsewhere`, beside the worst shard, must be bad too. That is not compared by standard deviations, since the breaker would
 * open later when all shards are alike.
 */
function isOverload({ all, elsewhere }: RecentCalls): boolean {
  const { good, bad } = all;
  const tolerated = toleratedShare * (good + bad);
  const isBeyondChance = bad > tolerated + beyondChance * Math.sqrt(tolerated * (1 - toleratedShare));
  if (bad < leastBad || !isBeyondChance) return false;
  return elsewhere.bad > toleratedShare * (elsewhere.good + elsewhere.bad);
}

/**
 * Detects that a service is overloaded or down. The breaker refuses nothing itself; admission control and the poll
 * throttle read its state. A call is bad if any of its requests was throttled or not answered, even if a retry of the
 * SDK succeeds. The breaker's states:
 *
 * - Closed: counts calls. Opens when the bad calls of the last 4 s show an overload, in all and beside the shard with the most of them.
 * - Open: counts nothing. Becomes half open after 1 s, or after up to 4 s if calls failed while it was half open.
 * - Half open: submissions are admitted one call at a time. Closes after 5 good calls or 10 s without a bad one; opens
 *   again after 3 bad ones.
 */
export class Breaker {
  readonly name: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #recent: CallWindow;
  #state: BreakerState = 'closed';
  #opened = 0;
  #openMs: number = openTime.firstMs;
  #openUntilMs = 0;
  #changedAtMs: number;
  #trial = { good: 0, bad: 0 };

  constructor(name: string, clock: Clock, log: Log) {
    this.name = name;
    this.#clock = clock;
    this.#log = log;
    this.#recent = new CallWindow(clock);
    this.#changedAtMs = clock.monotonic();
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How often the breaker has opened. */
  get opened(): number {
    return this.#opened;
  }

  /** The time in ms until an open breaker becomes half open; 0 in the other states. */
  get halfOpenInMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntilMs - this.#clock.monotonic()) : 0;
  }

  /** The time in ms since the breaker last changed its state. */
  get unchangedMs(): number {
    return this.#clock.monotonic() - this.#changedAtMs;
  }

  /** Records a good call. `place` is the shard that it writes to (0 to 3), or undefined if it goes to no shard alone. */
  good(place?: number): void {
    if (this.#state === 'closed') this.#recent.add('good', place);
    else if (this.#state === 'halfOpen' && ++this.#trial.good >= goodToClose) this.#close();
  }

  /** Records a bad call, of a place as `good` has it. */
  bad(place?: number): void {
    if (this.#state === 'closed') {
      this.#recent.add('bad', place);
      const recent = this.#recent.sum();
      if (isOverload(recent)) this.#open(openTime.firstMs, recent.all);
    } else if (this.#state === 'halfOpen' && ++this.#trial.bad >= badToReopen) {
      this.#open(nextDelayMs(openTime, this.#openMs), this.#trial);
    }
  }

  #setState(state: BreakerState): void {
    this.#state = state;
    this.#changedAtMs = this.#clock.monotonic();
  }

  #open(openMs: number, calls: { readonly good: number; readonly bad: number }): void {
    const fields = { dependency: this.name, good_calls: calls.good, bad_calls: calls.bad, open_ms: openMs };
    this.#setState('open');
    this.#opened++;
    this.#openMs = openMs;
    this.#openUntilMs = this.#clock.monotonic() + openMs;
    this.#recent.forget();
    this.#log.warn(fields, 'breaker open: submissions are refused and claims slowed down');
    this.#clock.after(openMs, () => this.#halfOpen());
  }

  #halfOpen(): void {
    this.#setState('halfOpen');
    const trial = { good: 0, bad: 0 };
    this.#trial = trial;
    this.#log.info(
      { dependency: this.name },
      'breaker half open: one call with submissions at a time is admitted',
    );
    this.#clock.after(idleMs, () => {
      if (this.#state === 'halfOpen' && this.#trial === trial && trial.bad === 0) this.#close();
    });
  }

  #close(): void {
    this.#setState('closed');
    this.#log.info(
      { dependency: this.name },
      'breaker closed: submissions are admitted, twice as many each second',
    );
  }
}
