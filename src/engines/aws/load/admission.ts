import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { LoadView, Overload } from '../../../ports/overload.ts';
import type { Breaker } from './breaker.ts';
import type { Dependency } from './dependency.ts';

/** The maximum number of submissions in flight in one process. Further submissions would only wait in its memory. */
const mostInFlight = 2_000;
/** The maximum number of submissions in flight right after a breaker has closed; it doubles each second. */
const leastInFlight = 50;
const rampMs = 1_000;
/**
 * The maximum random time, in ms, that is added to each retry delay, so that refused callers do not retry all at once.
 */
const spreadMs = 1_000;
const leastRetryMs = 250;
/** After this time in ms without a refused submission, the log says that submissions are admitted again. */
const calmMs = 1_000;

/**
 * Admission control for submissions. While the breaker of the table or of SQS is open, submissions are refused before
 * any work is done. While a breaker is half open, one submit call at a time is admitted. Otherwise the number of
 * submissions in flight is limited. Accepted tasks are worked on even while submissions are refused.
 */
export class Admission implements Overload {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #dependencies: readonly Dependency[];
  #inFlight = 0;
  #admitted = 0;
  #refused = 0;
  #trialRunning = false;
  #refusing: { readonly sinceMs: number; readonly before: number; lastMs: number } | undefined;

  constructor(clock: Clock, log: Log, dependencies: readonly Dependency[]) {
    this.#clock = clock;
    this.#log = log;
    this.#dependencies = dependencies;
  }

  admit(submissions: number): () => void {
    const refusal = this.#refusal(submissions);
    if (refusal !== undefined) throw this.#refuse(submissions, refusal);
    this.#logAdmittingAgain();
    const trial = this.#isTrial();
    if (trial) this.#trialRunning = true;
    this.#admitted += submissions;
    this.#inFlight += submissions;
    return () => {
      if (trial) this.#trialRunning = false;
      this.#inFlight -= submissions;
    };
  }

  lastOutageEndMs(): number | undefined {
    // Only the table has leases: while SQS is out, workers renew theirs as always.
    return this.#dependencies.find(({ name }) => name === 'table')?.outages.lastEndMs;
  }

  view(): LoadView {
    const dependencies = Object.fromEntries(this.#dependencies.map((one) => [one.name, one.view()]));
    const [admitted, refused, inFlight] = [this.#admitted, this.#refused, this.#inFlight];
    return { dependencies, submissions: { admitted, refused, inFlight, limit: this.#limit() } };
  }

  #isTrial(): boolean {
    return this.#dependencies.some(({ breaker }) => breaker.state === 'halfOpen');
  }

  #limit(): number {
    return Math.min(...this.#dependencies.map(({ breaker }) => limitOf(breaker)));
  }

  /**
   * Returns the error with which a submit call must be refused, or undefined if the call is admitted. A call with more
   * submissions than the limit is admitted if no other submission is in flight.
   */
  #refusal(submissions: number): HoldfastError | undefined {
    for (const { title: what, breaker } of this.#dependencies) {
      if (breaker.state === 'open') return this.#busy(`${what} is overloaded or gone.`, breaker.halfOpenInMs);
      if (breaker.state === 'halfOpen' && this.#trialRunning)
        return this.#busy(`${what} was overloaded and is being tried again.`, 0);
    }
    const limit = this.#limit();
    if (this.#inFlight === 0 || this.#isTrial() || this.#inFlight + submissions <= limit) return undefined;
    return this.#busy(`This server has ${this.#inFlight} submissions in flight; at most ${limit} now.`, 0);
  }

  #busy(message: string, leftMs: number): HoldfastError {
    const retryAfterMs = Math.ceil(Math.max(leastRetryMs, leftMs) + this.#clock.random() * spreadMs);
    return new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', message, {
      retryAfterMs,
      help: 'Nothing was done. Send the request again with the same key after the time that the answer names.',
    });
  }

  #refuse(submissions: number, error: HoldfastError): HoldfastError {
    const nowMs = this.#clock.monotonic();
    if (this.#refusing === undefined) {
      this.#log.warn({ why: error.message, retry_after_ms: error.retryAfterMs }, 'refusing submissions');
      this.#refusing = { sinceMs: nowMs, before: this.#refused, lastMs: nowMs };
    }
    this.#refusing.lastMs = nowMs;
    this.#refused += submissions;
    return error;
  }

  #logAdmittingAgain(): void {
    if (this.#refusing === undefined) return;
    const { sinceMs, before, lastMs } = this.#refusing;
    if (this.#clock.monotonic() - lastMs < calmMs) return;
    this.#refusing = undefined;
    const fields = { refused: this.#refused - before, for_ms: Math.round(lastMs - sinceMs) };
    this.#log.info(fields, 'admitting submissions again');
  }
}

function limitOf({ state, opened, unchangedMs }: Breaker): number {
  if (state === 'open') return 0;
  if (state === 'halfOpen') return 1;
  if (opened === 0) return mostInFlight;
  return Math.min(mostInFlight, leastInFlight * 2 ** Math.floor(unchangedMs / rampMs));
}
