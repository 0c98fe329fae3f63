import { messageOf } from '../../core/untrusted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

const logEveryMs = 60_000;

/** Logs that spans could not be exported: the first time at once, then one line a minute that counts the lost spans. */
export class ExportLog {
  readonly #clock: Clock;
  readonly #log: Log;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #lost = 0;
  #error = '';
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  failed(spans: number, thrown: unknown): void {
    this.#add(spans, messageOf(thrown));
  }

  /** Spans were dropped because too many others waited for the collector. */
  dropped(spans: number): void {
    this.#add(spans, this.#error === '' ? 'the collector is too slow' : this.#error);
  }

  #add(spans: number, error: string): void {
    this.#lost += spans;
    this.#error = error;
    if (this.#cancel !== undefined) return;
    const waitMs = this.#loggedAtMs + logEveryMs - this.#clock.monotonic();
    if (waitMs <= 0) this.#write();
    else this.#cancel = this.#clock.after(waitMs, () => this.#write());
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#lost > 0) this.#write();
  }

  #write(): void {
    this.#cancel = undefined;
    this.#loggedAtMs = this.#clock.monotonic();
    this.#log.warn(
      { error: this.#error, lost_spans: this.#lost },
      'spans could not be exported and are lost; tasks are not affected',
    );
    this.#lost = 0;
  }
}
