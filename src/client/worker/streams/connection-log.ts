/** What the log says of a worker's way to its server: one that gets no work must not look healthy. */
import type { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Logger } from '../../log.ts';

/** Told at once, then again after so long, doubling to the longest: tries come every few seconds. */
const againMs = 30_000;
const againMostMs = 15 * 60_000;

export class ReachLines {
  readonly #clock: Clock;
  readonly #log: Logger;
  #isConnected = false;
  #tellAtMs = Number.NEGATIVE_INFINITY;
  #againMs = againMs;
  /** Since the last connection: when it was first told. */
  #toldFromMs: number | undefined;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  connected(): void {
    if (this.#toldFromMs !== undefined) {
      const after_ms = Math.round(this.#clock.monotonic() - this.#toldFromMs);
      this.#log.info({ after_ms }, 'connected to the server');
    }
    this.#isConnected = true;
    this.#toldFromMs = undefined;
    this.#tellAtMs = Number.NEGATIVE_INFINITY;
    this.#againMs = againMs;
  }

  /** The stream of work ended, or none came about; another one is opened. */
  lost(error: HoldfastError | undefined): void {
    if (this.#isConnected) {
      this.#isConnected = false;
      this.#log.info({ err: error }, 'the stream of work was cut; opening another');
      return;
    }
    const nowMs = this.#clock.monotonic();
    if (nowMs < this.#tellAtMs) return;
    this.#toldFromMs ??= nowMs;
    this.#tellAtMs = nowMs + this.#againMs;
    this.#againMs = Math.min(againMostMs, 2 * this.#againMs);
    const fields = { error: error?.message, code: error?.code, reason: error?.reason, help: error?.help };
    const what =
      error?.reason === 'UNREACHABLE' ? 'the server cannot be reached' : 'the server gives no work';
    this.#log.warn(fields, `${what}; trying again`);
  }
}
