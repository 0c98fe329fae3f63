import { sleepOver } from '../../platform/sleep.ts';
import type { Clock } from '../../ports/clock.ts';

export interface WatchedClock extends Clock {
  /** The time of the earliest timer that was set on this clock and has not fired; undefined if there is none. */
  readonly earliestAtMs: number | undefined;
  /** The number of timers that have not fired. */
  readonly timers: number;
}

/**
 * Returns a clock on the given one that knows its own timers. The kit gives one to its client and one to handlers, so that
 * no jump of the virtual time passes a wait that the test can see.
 */
export function watchedClock(clock: Clock): WatchedClock {
  const times = new Set<{ readonly atMs: number }>();
  const after: Clock['after'] = (ms, run) => {
    const timer = { atMs: clock.now() + ms };
    times.add(timer);
    const cancel = clock.after(ms, () => {
      times.delete(timer);
      run();
    });
    return () => {
      times.delete(timer);
      cancel();
    };
  };
  return {
    now: () => clock.now(),
    machineNow: () => clock.machineNow(),
    monotonic: () => clock.monotonic(),
    soon: (run) => clock.soon(run),
    random: () => clock.random(),
    uuid: () => clock.uuid(),
    secret: () => clock.secret(),
    after,
    sleep: sleepOver(after),
    get earliestAtMs() {
      return times.size === 0 ? undefined : Math.min(...[...times].map(({ atMs }) => atMs));
    },
    get timers() {
      return times.size;
    },
  };
}
