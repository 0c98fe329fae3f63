import { beforeEach, describe, expect, it } from 'vitest';
import { type ProcessClock, type VirtualClock, virtualClock } from '../testing/virtual-clock.ts';
import { type CorrectedClock, correctedClock } from './corrected-clock.ts';

let world: VirtualClock;
let machine: ProcessClock;
let clock: CorrectedClock;
const begin = (offMs: number): void => {
  world = virtualClock({ seed: 7 });
  machine = world.process(offMs);
  clock = correctedClock(machine);
};
beforeEach(() => begin(0));

/**
 * Adds time samples of a service whose clock is right. Each response takes `tookMs` and carries the time in whole
 * seconds.
 */
async function addSamples(count: number, tookMs = 20): Promise<void> {
  for (let i = 0; i < count; i++) {
    await world.advance(Math.floor(world.random() * 1_000));
    const requestedAtMs = clock.monotonic();
    await world.advance(tookMs);
    const serverMs = Math.floor((world.now() - tookMs / 2) / 1_000) * 1_000;
    clock.addSample({ serverMs, requestedAtMs, receivedAtMs: clock.monotonic() });
  }
}

describe('the corrected clock', () => {
  it('equals the machine’s clock before the first response', () => {
    begin(5_000);
    expect(clock.now()).toBe(machine.now());
    expect(clock.offsetMs).toBeUndefined();
    expect(clock.fit).toBe(true);
  });

  it('does not correct a machine’s clock that is right within the precision of the response header', async () => {
    for (let i = 0; i < 60; i++) {
      await addSamples(1);
      expect(clock.now()).toBe(machine.now());
    }
    expect(Math.abs(clock.offsetMs ?? Number.NaN)).toBeLessThan(350);
    expect(clock.samples).toBe(20);
  });

  it.each([1_500, -1_500, 90_000, -90_000])(
    'corrects a clock that is off by %i ms to within 0.4 s',
    async (offMs) => {
      begin(offMs);
      await addSamples(20);
      expect(Math.abs((clock.offsetMs ?? 0) - offMs)).toBeLessThan(400);
      expect(Math.abs(clock.now() - world.now())).toBeLessThan(400);
    },
  );

  it('is right to within a second after the first response', async () => {
    begin(60_000);
    await addSamples(1);
    expect(Math.abs(clock.now() - world.now())).toBeLessThan(1_000);
  });

  it('is unfit if the machine’s clock is off by over 2 s, fit again within 1.5 s, and reports each change once', async () => {
    let changes = 0;
    clock.onFitness(() => changes++);
    await addSamples(20);
    const found: unknown[] = [];
    for (const offMs of [1_900, 2_100, 1_600, 1_400, 1_900, -2_100]) {
      machine.jump(offMs - (clock.offsetMs ?? 0));
      found.push([offMs, clock.fit, changes]);
    }
    expect(found).toEqual([
      [1_900, true, 0],
      [2_100, false, 1],
      [1_600, false, 1],
      [1_400, true, 2],
      [1_900, true, 2],
      [-2_100, false, 3],
    ]);
  });

  it('notices a jump of the machine’s clock at once and does not follow it', async () => {
    await addSamples(20);
    machine.jump(-3_600_000);
    expect(clock.fit).toBe(false);
    expect(Math.abs(clock.now() - world.now())).toBeLessThan(400);
    expect(clock.offsetMs).toBeLessThan(-3_599_000);
  });

  it('accepts three responses in a row that contradict the earlier ones, as after a suspend', async () => {
    await addSamples(20);
    const monotonic = machine.monotonic;
    machine.monotonic = () => monotonic() - 600_000;
    clock = Object.assign(clock, { monotonic: () => machine.monotonic() });
    await addSamples(3);
    expect(Math.abs(clock.now() - world.now())).toBeLessThan(1_000);
    expect(clock.fit).toBe(true);
  });

  it.each([3_600_000, -3_600_000])(
    'is corrected and becomes unfit by slow responses if there are no fast ones: clock off by %i ms',
    async (offMs) => {
      begin(offMs);
      await addSamples(1, 1_100);
      expect(clock.fit).toBe(false);
      expect(Math.abs(clock.now() - world.now())).toBeLessThan(1_600);
      await addSamples(20, 8_000);
      await addSamples(20, 1_100);
      expect(Math.abs(clock.now() - world.now())).toBeLessThan(1_100);
      expect(Math.abs((clock.offsetMs ?? 0) - offMs)).toBeLessThan(1_100);
      expect(clock.samples).toBe(0);
    },
  );

  it('does not correct a machine’s clock that is right within the precision of slow responses', async () => {
    begin(2_000);
    for (const tookMs of [4_000, 20_000]) {
      for (let i = 0; i < 20; i++) await addSamples(1, tookMs);
      expect(clock.now()).toBe(machine.now());
      expect(clock.fit).toBe(true);
    }
  });

  it('ignores slow responses after the first fast response', async () => {
    begin(60_000);
    await addSamples(20, 20_000);
    await addSamples(20);
    expect(Math.abs((clock.offsetMs ?? 0) - 60_000)).toBeLessThan(400);
    await addSamples(20, 20_000);
    expect(clock.samples).toBe(20);
    expect(Math.abs((clock.offsetMs ?? 0) - 60_000)).toBeLessThan(400);
  });

  it('ignores one or two wrong responses among slow ones, and accepts three in a row', async () => {
    await addSamples(5, 2_000);
    const wrong = (serverMs: number) => {
      const nowMs = clock.monotonic();
      clock.addSample({ serverMs, requestedAtMs: nowMs - 2_000, receivedAtMs: nowMs });
    };
    wrong(0);
    expect(clock.fit).toBe(true);
    expect(clock.now()).toBe(machine.now());
    await addSamples(1, 2_000);
    for (let i = 0; i < 2; i++) wrong(world.now() + 600_000);
    expect(clock.fit).toBe(true);
    wrong(world.now() + 600_000);
    expect(clock.fit).toBe(false);
    expect(Math.abs(clock.now() - world.now() - 600_000)).toBeLessThan(1_600);
  });

  it('ignores one wrong fast response, and wrong slow ones', async () => {
    begin(1_000);
    await addSamples(20);
    const before = clock.offsetMs ?? 0;
    const nowMs = clock.monotonic();
    clock.addSample({ serverMs: 0, requestedAtMs: nowMs, receivedAtMs: nowMs });
    for (let i = 0; i < 20; i++)
      clock.addSample({ serverMs: 0, requestedAtMs: nowMs - 1_001, receivedAtMs: nowMs });
    expect(Math.abs((clock.offsetMs ?? 0) - before)).toBeLessThan(300);
  });
});
