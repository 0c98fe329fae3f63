import { type Duration, durationMs } from '../../client/duration.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { WatchedClock } from './watched-clock.ts';

/** The virtual clock of a kit. Nothing but `advance`, `drain` and `loseLease` moves it; `Date` is left alone. */
export interface TestClock {
  /** The virtual time. A kit begins at 2026-01-01T00:00:00Z. */
  now(): Date;
  /**
   * Moves the virtual time forward, and runs everything that comes due until then: delayed tasks, retries, deadlines,
   * timeouts. A jump over a time without events takes no real time.
   *
   * @example
   * ```ts
   * await kit.clock.advance('1h');
   * ```
   */
  advance(duration: Duration): Promise<void>;
  /** Waits in virtual time, for handlers: resolves once the test has advanced the clock so far, or when `signal` is aborted. */
  sleep(duration: Duration, signal?: AbortSignal): Promise<void>;
}

export function testClock(time: VirtualTime, waits: WatchedClock): TestClock {
  return {
    now: () => new Date(waits.now()),
    advance: (duration) => time.advance(durationMs(duration, 'duration')),
    sleep: (duration, signal) => waits.sleep(durationMs(duration, 'duration'), signal),
  };
}
