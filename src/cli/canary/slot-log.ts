import { messageOf } from '../../core/untrusted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ProbeEnd } from './run-slots.ts';

const lineEveryMs = 60_000;

/**
 * Logs bad slots: the first one at once, then at most one line a minute with the number of bad slots since the last
 * line. A line says when slots are good again.
 */
export class SlotLog {
  readonly #clock: Clock;
  readonly #log: Log;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #bad = 0;
  #isBad = false;
  #refusal: unknown;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Notes that the server refused the canary's worker. The next line about a bad slot has the error. */
  refused(error: unknown): void {
    this.#refusal = error;
  }

  ended({ result, error }: ProbeEnd): void {
    if (result === 'good') {
      this.#refusal = undefined;
      if (this.#isBad && this.#isDue()) {
        this.#loggedAtMs = this.#clock.monotonic();
        this.#log.info({ bad_slots: this.#bad }, 'the canary’s slots are good again');
        this.#isBad = false;
      }
      return;
    }
    this.#bad++;
    if (this.#isBad && !this.#isDue()) return;
    this.#isBad = true;
    const err = error ?? this.#refusal;
    const cause = err === undefined ? '' : `: ${messageOf(err)}`;
    this.#loggedAtMs = this.#clock.monotonic();
    this.#log.warn(
      { bad_slots: this.#bad, slot_result: result, err },
      `a slot of the canary was bad${cause}`,
    );
    this.#bad = 0;
  }

  #isDue(): boolean {
    return this.#clock.monotonic() - this.#loggedAtMs >= lineEveryMs;
  }
}
