import { timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Overload } from '../../ports/overload.ts';

/** The interval in ms at which the process checks that it runs. */
const tickMs = 1_000;
/**
 * The process counts as stalled if nothing ran in it for longer than this time in ms: it was stopped (SIGSTOP), its
 * machine was suspended, or its event loop was blocked.
 */
const stallMs = 3_000;

/**
 * Decides until when no lease may expire in this process. A worker cannot renew its leases while this process is down,
 * stalled or without its store. Without a grace time all these leases would expire at the moment at which the process
 * is back, although their workers are alive.
 *
 * The grace of 15 s begins when the background work of the process starts, after each stall, and after each outage of
 * the store. A short stall during a grace lengthens the grace by its own length instead of beginning a new one, so that
 * a process that stalls often still lets the leases of dead workers expire. Before `start` there is no grace.
 */
export class LeaseGrace {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #overload: Overload | undefined;
  /** The last time at which something ran in this process, by both clocks. Undefined before `start`. */
  #seen: { readonly monotonicMs: number; readonly wallMs: number } | undefined;
  /** The end of the grace, by the monotonic clock. */
  #untilMs = Number.NEGATIVE_INFINITY;
  #cancelTick: () => void = () => {};

  constructor({ clock, log, overload }: { clock: Clock; log: Log; overload?: Overload | undefined }) {
    this.#clock = clock;
    this.#log = log;
    this.#overload = overload;
  }

  /** Begins the grace of a process that has just started, and watches for stalls from now on. */
  start(): void {
    this.#untilMs = this.#clock.monotonic() + timing.leaseGraceMs;
    this.#look();
    this.#tick();
  }

  stop(): void {
    this.#cancelTick();
    this.#seen = undefined;
  }

  /**
   * Returns the time before which no lease may expire, in ms since the epoch, or undefined if leases may expire now.
   * `nowMs` is the current time of the same clock. A stall is noticed here too, because after a stall this call may
   * come before the timer of this class.
   */
  notBeforeMs(nowMs: number): number | undefined {
    if (this.#seen === undefined) return undefined;
    this.#look();
    const leftMs = this.#untilMs - this.#clock.monotonic();
    return leftMs > 0 ? Math.ceil(nowMs + leftMs) : undefined;
  }

  #tick(): void {
    this.#cancelTick = this.#clock.after(tickMs, () => {
      this.#look();
      this.#tick();
    });
  }

  /** Compares both clocks with the last look: the monotonic clock stands still while the machine is suspended. */
  #look(): void {
    const { monotonicMs, wallMs } = { monotonicMs: this.#clock.monotonic(), wallMs: this.#clock.now() };
    const before = this.#seen;
    this.#seen = { monotonicMs, wallMs };
    if (before !== undefined) {
      const gapMs = Math.max(monotonicMs - before.monotonicMs, wallMs - before.wallMs);
      if (gapMs > stallMs) this.#stalled(gapMs, before.monotonicMs);
    }
    const outageEndMs = this.#overload?.lastOutageEndMs?.() ?? Number.NEGATIVE_INFINITY;
    this.#untilMs = Math.max(this.#untilMs, outageEndMs + timing.leaseGraceMs);
  }

  #stalled(gapMs: number, sinceMs: number): void {
    const nowMs = this.#clock.monotonic();
    const leftMs = this.#untilMs - sinceMs;
    const graceMs = leftMs > 0 && gapMs < timing.heartbeatMs ? leftMs : timing.leaseGraceMs;
    this.#untilMs = nowMs + graceMs;
    this.#log.warn(
      { stalled_ms: Math.round(gapMs), grace_ms: Math.round(graceMs) },
      'this process did not run for some seconds; no lease expires until workers had the time to renew theirs',
    );
  }
}
