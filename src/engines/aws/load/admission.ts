import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { LoadView, Overload } from '../../../ports/overload.ts';
import type { Breaker } from './breaker.ts';
import type { Dependency } from './dependency.ts';

/** Submissions in flight in one process. More would only wait in its memory. */
const mostInFlight = 2_000;
/** Right after a breaker closed; doubled each second. */
const leastInFlight = 50;
const rampMs = 1_000;
/** What is asked for beside the time that is known, at random, so that callers don't come back together. */
const spreadMs = 1_000;
const leastRetryMs = 250;
/** Without a refusal for so long, submissions count as admitted again. */
const calmMs = 1_000;

const whatOf: Readonly<Record<string, string>> = { table: 'The table', queues: 'SQS' };

/**
 * Admission control in front of submissions: refuses them before any work is done while a breaker is open, lets one
 * call at a time through where one is half open, and only so many submissions at once otherwise. What was accepted
 * before is worked on meanwhile.
 */
export class Admission implements Overload {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #dependencies: readonly Dependency[];
  #inFlight = 0;
  #admitted = 0;
  #refused = 0;
  #trying = false;
  #refusing: { readonly sinceMs: number; readonly before: number; lastMs: number } | undefined;

  constructor(clock: Clock, log: Log, dependencies: readonly Dependency[]) {
    this.#clock = clock;
    this.#log = log;
    this.#dependencies = dependencies;
  }

  admit(submissions: number): () => void {
    const refusal = this.#refusal(submissions);
    if (refusal !== undefined) throw this.#refuse(submissions, refusal);
    this.#tellCalm();
    const trial = this.#isTrial();
    if (trial) this.#trying = true;
    this.#admitted += submissions;
    this.#inFlight += submissions;
    return () => {
      if (trial) this.#trying = false;
      this.#inFlight -= submissions;
    };
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

  /** A call that is larger than the limit goes alone. */
  #refusal(submissions: number): HoldfastError | undefined {
    for (const { name, breaker } of this.#dependencies) {
      const what = whatOf[name] ?? name;
      if (breaker.state === 'open') return this.#busy(`${what} is overloaded or gone.`, breaker.leftMs);
      if (breaker.state === 'halfOpen' && this.#trying)
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

  #tellCalm(): void {
    if (this.#refusing === undefined) return;
    const { sinceMs, before, lastMs } = this.#refusing;
    if (this.#clock.monotonic() - lastMs < calmMs) return;
    this.#refusing = undefined;
    const fields = { refused: this.#refused - before, for_ms: Math.round(lastMs - sinceMs) };
    this.#log.info(fields, 'admitting submissions again');
  }
}

function limitOf({ state, opened, steadyMs }: Breaker): number {
  if (state === 'open') return 0;
  if (state === 'halfOpen') return 1;
  if (opened === 0) return mostInFlight;
  return Math.min(mostInFlight, leastInFlight * 2 ** Math.floor(steadyMs / rampMs));
}
