import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { GaugeSource, Gauges } from '../../ports/metrics.ts';

type Value = readonly [name: string, labels: Readonly<Record<string, string>>, value: number];

/** The shortest time in ms between two log lines about a source that fails. */
const logEveryMs = 60_000;
/** The time in ms after which the values of a source that fails are no longer shown: they would look like the present. */
const staleAfterMs = 180_000;

/**
 * Reads a source of gauges at most once in its interval and one read at a time, and keeps the values of the last read. A
 * source that fails shows no values after three minutes, so that an alert for missing series can fire.
 */
export class SourceReader {
  readonly #source: GaugeSource;
  readonly #clock: Clock;
  readonly #log: Log;
  #values: readonly Value[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(source: GaugeSource, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
  }

  async readIfDue(): Promise<void> {
    if (this.#reading === undefined && this.#clock.monotonic() - this.#triedAtMs >= this.#source.everyMs) {
      this.#triedAtMs = this.#clock.monotonic();
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
    }
    await this.#reading;
  }

  replay(gauges: Gauges): void {
    if (this.#clock.monotonic() - this.#readAtMs > Math.max(staleAfterMs, 3 * this.#source.everyMs)) return;
    for (const [name, labels, value] of this.#values) gauges.set(name, labels, value);
  }

  async #read(): Promise<void> {
    const values: Value[] = [];
    try {
      await this.#source.read({ set: (...value) => void values.push(value) });
      this.#values = values;
      this.#readAtMs = this.#clock.monotonic();
    } catch (err) {
      this.#logFailure(err);
    }
  }

  #logFailure(err: unknown): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#loggedAtMs < logEveryMs) return;
    this.#loggedAtMs = nowMs;
    this.#log.warn({ err, source: this.#source.name }, 'could not read some metrics; the others are shown');
  }
}
