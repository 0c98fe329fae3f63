/** Logs the state of a worker's connection, so that a worker that gets no tasks does not look healthy in its log. */
import { nextDelayMs } from '../../../core/backoff.ts';
import type { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Logger } from '../../log.ts';

/**
 * A failing connection is logged at once, and when it fails for another reason; then after 30 s, and then at intervals that double
 * up to 15 min. The worker itself tries to reconnect every few seconds.
 */
const logInterval = { firstMs: 30_000, longestMs: 15 * 60_000 } as const;

/** Logs when the connection of a worker fails, is lost, and is restored. */
export class ConnectionLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  #isConnected = false;
  #nextLogAtMs = Number.NEGATIVE_INFINITY;
  #intervalMs: number = logInterval.firstMs;
  /** The reasons that were logged since the worker was last connected. */
  readonly #loggedReasons = new Set<string | undefined>();
  /** The time of the first failure that was logged since the worker was last connected. */
  #loggedFromMs: number | undefined;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Records that a work stream is open. Logs the new connection only if a failure was logged before. */
  connected(): void {
    if (this.#loggedFromMs !== undefined) {
      const after_ms = Math.round(this.#clock.monotonic() - this.#loggedFromMs);
      this.#log.info({ after_ms }, 'connected to the server');
    }
    this.#isConnected = true;
    this.#loggedFromMs = undefined;
    this.#loggedReasons.clear();
    this.#nextLogAtMs = Number.NEGATIVE_INFINITY;
    this.#intervalMs = logInterval.firstMs;
  }

  /** Records that the work stream ended or could not be opened, and logs the failure unless one of its reason was logged recently. */
  lost(error: HoldfastError | undefined): void {
    if (this.#isConnected) {
      this.#isConnected = false;
      this.#log.info({ err: error }, 'the work stream was cut; opening another');
      return;
    }
    const nowMs = this.#clock.monotonic();
    if (nowMs < this.#nextLogAtMs && this.#loggedReasons.has(error?.reason)) return;
    this.#loggedReasons.add(error?.reason);
    this.#loggedFromMs ??= nowMs;
    this.#nextLogAtMs = nowMs + this.#intervalMs;
    this.#intervalMs = nextDelayMs(logInterval, this.#intervalMs);
    const fields = { error: error?.message, code: error?.code, reason: error?.reason, help: error?.help };
    const problem =
      error?.reason === 'UNREACHABLE' ? 'the server cannot be reached' : 'the server assigns no tasks';
    this.#log.warn(fields, `${problem}; trying again`);
  }
}
