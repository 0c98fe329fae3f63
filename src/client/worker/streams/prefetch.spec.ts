import { describe, expect, it } from 'vitest';
import { Prefetch } from './prefetch.ts';

/** A worker's slots on a clock of the test: each slot runs one attempt after the other. */
class Runs {
  readonly prefetch: Prefetch;
  readonly #slots: number;
  nowMs = 100_000;

  constructor(slots: number, initialTasks: number) {
    this.#slots = slots;
    this.prefetch = new Prefetch(slots, initialTasks);
  }

  /** Runs attempts of `durationMs` in all slots, again and again for `ms`. */
  run(durationMs: number, ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.begin();
      this.nowMs += durationMs;
      for (let i = 0; i < this.#slots; i++) this.prefetch.ended(durationMs, this.nowMs);
    }
  }

  begin(): void {
    for (let i = 0; i < this.#slots; i++) this.prefetch.begun(this.nowMs);
  }

  /** Lets time pass. Returns the number of tasks to prefetch then. */
  after(ms: number): number {
    this.nowMs += ms;
    this.prefetch.adapt(this.nowMs);
    return this.prefetch.tasks;
  }
}

describe('the number of tasks to prefetch', () => {
  it('is the initial one until the first attempts have shown how long they take', () => {
    const runs = new Runs(16, 8);
    expect(runs.after(60_000)).toBe(8);
    runs.begin();
    expect(runs.after(500)).toBe(8);
    expect(runs.after(600)).toBe(0);
  });

  it('is about as many as begin in a second', () => {
    const runs = new Runs(8, 8);
    runs.run(100, 3_000);
    expect(runs.prefetch.tasks).toBeGreaterThanOrEqual(60);
    expect(runs.prefetch.tasks).toBeLessThanOrEqual(80);
  });

  it('is at most 192', () => {
    const runs = new Runs(8, 8);
    runs.run(1, 2_000);
    expect(runs.prefetch.tasks).toBe(192);
  });

  it('is 0 for attempts that take longer than a second in each slot', () => {
    const runs = new Runs(4, 0);
    runs.run(5_000, 30_000);
    expect(runs.prefetch.tasks).toBe(0);
  });

  it('grows within a few rounds of short attempts', () => {
    const runs = new Runs(8, 0);
    runs.run(5, 40);
    expect(runs.prefetch.tasks).toBeGreaterThanOrEqual(32);
  });

  it('shrinks as soon as all running attempts are older than attempts were on average', () => {
    const runs = new Runs(2, 2);
    runs.run(5, 2_000);
    expect(runs.prefetch.tasks).toBe(192);
    runs.begin();
    expect(runs.after(100)).toBeLessThanOrEqual(20);
    expect(runs.after(300)).toBeLessThanOrEqual(5);
    expect(runs.after(700)).toBe(0);
  });

  it('does not shrink for one long attempt beside slots that run short ones', () => {
    const prefetch = new Prefetch(2, 2);
    let nowMs = 0;
    prefetch.begun(nowMs);
    for (; nowMs < 5_000; nowMs += 5) {
      prefetch.begun(nowMs);
      prefetch.ended(5, nowMs + 5);
    }
    expect(prefetch.tasks).toBeGreaterThan(150);
  });

  it('is 0 a second after the last attempt of an idle worker', () => {
    const runs = new Runs(8, 8);
    runs.run(10, 3_000);
    expect(runs.after(1_100)).toBe(0);
  });

  it('does not follow small changes, because each change of credit costs messages', () => {
    const runs = new Runs(10, 10);
    runs.run(100, 3_000);
    const before = runs.prefetch.tasks;
    runs.run(110, 2_000);
    expect(runs.prefetch.tasks).toBe(before);
  });
});
