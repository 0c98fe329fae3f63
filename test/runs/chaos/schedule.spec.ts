import { describe, expect, it } from 'vitest';
import { faultKinds, scheduleOf } from './schedule.ts';

const seeds = Array.from({ length: 50 }, (_, i) => i);
const scheduleFor = (seed: number) => scheduleOf({ seed, seconds: 300, kinds: faultKinds });

describe('the schedule of npm run chaos', () => {
  it('is the same for the same seed, and another one for another seed', () => {
    expect(scheduleFor(7)).toEqual(scheduleFor(7));
    expect(scheduleFor(7)).not.toEqual(scheduleFor(8));
  });

  it('has every kind of fault at least twice within five minutes, whatever the seed', () => {
    for (const seed of seeds) {
      const byKind = Map.groupBy(scheduleFor(seed), ({ kind }) => kind);
      for (const kind of faultKinds) expect(byKind.get(kind)?.length ?? 0, kind).toBeGreaterThanOrEqual(2);
    }
  });

  it('lets a process stand still for longer than a lease and its guard', () => {
    const stops = seeds
      .flatMap(scheduleFor)
      .filter(({ kind }) => kind === 'stopServer' || kind === 'stopWorker')
      .map(({ lengthMs }) => lengthMs);
    expect(Math.min(...stops)).toBeGreaterThan(32_000);
  });

  it('restarts no server, and loses no answers, while a server stands still', () => {
    for (const seed of seeds) {
      let freeAtMs = 0;
      for (const { kind, atMs, lengthMs } of scheduleFor(seed)) {
        if (!['killServer', 'stopServer', 'rollServers', 'loseAnswers'].includes(kind)) continue;
        expect(atMs).toBeGreaterThanOrEqual(freeAtMs);
        freeAtMs = atMs + lengthMs;
      }
    }
  });
});
