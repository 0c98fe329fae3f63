import type { Clock } from '../../src/ports/clock.ts';

export const startMs = Date.UTC(2026, 0, 1);

/** A clock that shows what it is told; nothing in a search waits for it. */
export class StillClock implements Clock {
  nowMs = startMs;
  /** Whether anybody asked since this was last cleared. */
  asked = false;

  now(): number {
    this.asked = true;
    return this.nowMs;
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
}
