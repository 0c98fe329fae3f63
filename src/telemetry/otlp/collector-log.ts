import { messageOf } from '../../core/untrusted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Signal } from './environment.ts';

const logEveryMs = 60_000;

/** A sentence about a signal that was not taken, which says how much of it is lost. */
const messages: Readonly<Record<Signal, string>> = {
  traces: 'the collector did not take traces; their spans are lost, and tasks are not affected',
  metrics: 'the collector did not take metrics; the next export has all of them, and tasks are not affected',
  logs: 'the collector did not take log lines; they stand on standard error only, and tasks are not affected',
};

/** Logs that a collector does not take a signal: the first time at once, then one line a minute that counts the failures. */
export class CollectorLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #signal: Signal;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #isDue = false;
  #failed = 0;
  #lost = 0;
  #error = '';
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: Log, signal: Signal) {
    this.#clock = clock;
    this.#log = log;
    this.#signal = signal;
  }

  /** A request was not taken, and its spans or lines are lost. */
  failed(lost: number, thrown: unknown): void {
    this.#failed++;
    this.#add(lost, messageOf(thrown));
  }

  /** Spans or lines were dropped because too many others waited for the collector. */
  dropped(lost: number): void {
    this.#add(lost, this.#error === '' ? 'the collector is too slow' : this.#error);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isDue) this.#write();
  }

  #add(lost: number, error: string): void {
    this.#isDue = true;
    this.#lost += lost;
    this.#error = error;
    if (this.#cancel !== undefined) return;
    const waitMs = this.#loggedAtMs + logEveryMs - this.#clock.monotonic();
    if (waitMs <= 0) this.#write();
    else this.#cancel = this.#clock.after(waitMs, () => this.#write());
  }

  #write(): void {
    this.#cancel = undefined;
    this.#loggedAtMs = this.#clock.monotonic();
    const lost_spans = this.#signal === 'traces' ? this.#lost : undefined;
    const lost_lines = this.#signal === 'logs' ? this.#lost : undefined;
    this.#log.warn(
      { signal: this.#signal, error: this.#error, failed: this.#failed, lost_spans, lost_lines },
      messages[this.#signal],
    );
    this.#isDue = false;
    this.#failed = 0;
    this.#lost = 0;
  }
}
