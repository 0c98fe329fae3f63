import { systemClock } from '../../src/platform/clock.ts';
import { sleepOver } from '../../src/platform/sleep.ts';
import type { Clock } from '../../src/ports/clock.ts';

export interface MovingClockOptions {
  /** Where the wall clock stood, in ms since the epoch, when the machine's stood at `realStartMs`. Default: as there. */
  readonly startMs?: number | undefined;
  /** Default: now. Processes that are given the same agree on the time. */
  readonly realStartMs?: number | undefined;
  /** How many times as fast as the machine's. Default: 1. */
  readonly speed?: number | undefined;
}

/** A real clock that runs faster, its timers with it, and whose wall clock can be moved on. */
export interface MovingClock extends Clock {
  /** The wall clock alone: timers under way end when they would have. */
  move(ms: number): void;
}

export function movingClock(options: MovingClockOptions = {}): MovingClock {
  const { realStartMs = Date.now(), speed = 1 } = options;
  const { startMs = realStartMs } = options;
  const system = systemClock();
  let movedMs = 0;
  const after: Clock['after'] = (ms, run) => system.after(ms / speed, run);
  return {
    now: () => Math.floor(startMs + (Date.now() - realStartMs) * speed) + movedMs,
    monotonic: () => system.monotonic() * speed,
    sleep: sleepOver(after),
    after,
    soon: system.soon,
    random: system.random,
    uuid: system.uuid,
    move(ms) {
      movedMs += ms;
    },
  };
}
