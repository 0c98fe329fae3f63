import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { BreakerState } from '../../../ports/overload.ts';
import { RecentCalls } from './call-window.ts';

/** Opens where so many recent calls went badly, and they are more than a quarter of all, beyond chance. */
const leastBad = 5;
const toleratedShare = 0.25;
const beyondChance = 2.5;
/** Half-open: closes after so many good calls, opens again after so many bad ones, whichever comes first. */
const goodToClose = 5;
const badToReopen = 3;
const firstOpenMs = 1_000;
/** Half-open without a bad call for so long, such as where nobody calls: closes. */
const idleMs = 10_000;
/** Doubles up to this with each trial that failed. */
const longestOpenMs = 4_000;

/**
 * One hot shard of the list index meets a quarter of all submissions, and nobody else is to be refused for it. Of few calls a
 * larger share may be chance, so it is judged by standard deviations of that quarter.
 */
function isOverload(good: number, bad: number): boolean {
  const calls = good + bad;
  const tolerated = toleratedShare * calls;
  return bad >= leastBad && bad > tolerated + beyondChance * Math.sqrt(tolerated * (1 - toleratedShare));
}

/**
 * Notices that something is overloaded or gone. It refuses nothing itself: whoever would add load asks for its state.
 * A call is bad once its first request was throttled or not answered, however it ends after the SDK's retries.
 */
export class Breaker {
  readonly name: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #recent: RecentCalls;
  #state: BreakerState = 'closed';
  #opened = 0;
  #openMs = firstOpenMs;
  #openUntilMs = 0;
  #changedAtMs: number;
  #trial = { good: 0, bad: 0 };

  constructor(name: string, clock: Clock, log: Log) {
    this.name = name;
    this.#clock = clock;
    this.#log = log;
    this.#recent = new RecentCalls(clock);
    this.#changedAtMs = clock.monotonic();
  }

  get state(): BreakerState {
    return this.#state;
  }

  get opened(): number {
    return this.#opened;
  }

  /** Until it is half open; 0 where it is not open. */
  get leftMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntilMs - this.#clock.monotonic()) : 0;
  }

  /** Since the state last changed. */
  get steadyMs(): number {
    return this.#clock.monotonic() - this.#changedAtMs;
  }

  good(): void {
    if (this.#state === 'closed') this.#recent.add('good');
    else if (this.#state === 'halfOpen' && ++this.#trial.good >= goodToClose) this.#close();
  }

  bad(): void {
    if (this.#state === 'closed') {
      this.#recent.add('bad');
      const { good, bad } = this.#recent.sum();
      if (isOverload(good, bad)) this.#open(firstOpenMs, { good, bad });
    } else if (this.#state === 'halfOpen' && ++this.#trial.bad >= badToReopen) {
      this.#open(Math.min(longestOpenMs, this.#openMs * 2), this.#trial);
    }
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.#changedAtMs = this.#clock.monotonic();
  }

  #open(openMs: number, calls: { readonly good: number; readonly bad: number }): void {
    const fields = { dependency: this.name, good_calls: calls.good, bad_calls: calls.bad, open_ms: openMs };
    this.#become('open');
    this.#opened++;
    this.#openMs = openMs;
    this.#openUntilMs = this.#clock.monotonic() + openMs;
    this.#recent.forget();
    this.#log.warn(fields, 'breaker open: submissions are refused and claims slowed down');
    this.#clock.after(openMs, () => this.#try());
  }

  #try(): void {
    this.#become('halfOpen');
    const trial = { good: 0, bad: 0 };
    this.#trial = trial;
    this.#log.info({ dependency: this.name }, 'breaker half open: trying with one submission at a time');
    this.#clock.after(idleMs, () => {
      if (this.#state === 'halfOpen' && this.#trial === trial && trial.bad === 0) this.#close();
    });
  }

  #close(): void {
    this.#become('closed');
    this.#log.info({ dependency: this.name }, 'breaker closed: submissions are admitted, more and more');
  }
}
