import type { Clock } from '../../src/ports/clock.ts';

/** The time at which each search starts. */
export const startMs = Date.UTC(2026, 0, 1);

/** A clock that shows the time it was set to. Its timers never fire, because no code in a search waits for time. */
export class ManualClock implements Clock {
  nowMs = startMs;
  /** True if the clock was read since this field was last set to false. */
  wasRead = false;

  now(): number {
    this.wasRead = true;
    return this.nowMs;
  }

  machineNow(): number {
    return this.now();
  }

  monotonic(): number {
    return this.now() - startMs;
  }

  sleep(): Promise<void> {
    return new Promise(() => {});
  }

  after(): () => void {
    return () => {};
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  random(): number {
    return 0.5;
  }

  uuid(): string {
    return '00000000-0000-7000-8000-000000000000';
  }

  secret(): string {
    return 'AAAAAAAAAAA';
  }
}
