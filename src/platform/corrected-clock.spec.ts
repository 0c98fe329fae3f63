import fc from 'fast-check';
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

const secondMs = 1_000;

/**
 * Adds time samples of a service whose clock is right. Each response takes `tookMs`, of which `backMs` are the way back,
 * and carries the time in whole seconds.
 */
async function addSamples(count: number, tookMs = 20, backMs = tookMs / 2): Promise<void> {
  for (let i = 0; i < count; i++) {
    await world.advance(Math.floor(world.random() * secondMs));
    const requestedAtMs = clock.monotonic();
    await world.advance(tookMs);
    const serverMs = Math.floor((world.now() - backMs) / secondMs) * secondMs;
    clock.addSample({ serverMs, requestedAtMs, receivedAtMs: clock.monotonic() });
  }
}

/** Adds one answer with any time, which took `tookMs` until now. */
function answer(serverMs: number, tookMs = 20): void {
  const receivedAtMs = clock.monotonic();
  clock.addSample({ serverMs, requestedAtMs: receivedAtMs - tookMs, receivedAtMs });
}

const isOffMs = (): number => Math.abs(clock.now() - world.now());

describe('the corrected clock', () => {
  it('equals the machine’s clock before the first response', () => {
    begin(5_000);
    expect(clock.now()).toBe(machine.now());
    expect(clock.offsetMs).toBeUndefined();
    expect(clock.errorMs).toBeUndefined();
    expect(clock.fit).toBe(true);
  });

  it('never moves a machine’s clock that is right, by fast or slow responses, whatever their way back takes', async () => {
    for (const tookMs of [20, 900, 1_700, 8_000, 20_000, 20]) {
      for (const backMs of [0, tookMs / 2, tookMs]) {
        for (let i = 0; i < 10; i++) {
          await addSamples(1, tookMs, backMs);
          expect(clock.now()).toBe(machine.now());
          expect(clock.fit).toBe(true);
        }
      }
    }
    expect(Math.abs(clock.offsetMs ?? Number.NaN)).toBeLessThanOrEqual(clock.errorMs ?? 0);
  });

  it.each([1_500, -1_500, 90_000, -90_000])(
    'corrects a clock that is off by %i ms to within 0.4 s',
    async (offMs) => {
      begin(offMs);
      await addSamples(20);
      expect(Math.abs((clock.offsetMs ?? 0) - offMs)).toBeLessThan(400);
      expect(isOffMs()).toBeLessThan(400);
    },
  );

  it.each([60_000, -60_000])(
    'is right to within its own uncertainty after the first response: machine off by %i ms',
    async (offMs) => {
      begin(offMs);
      await addSamples(1);
      expect(isOffMs()).toBeLessThanOrEqual(secondMs + 20);
    },
  );

  it('is unfit if the machine’s clock is off by over 2 s, fit again within 1.5 s, and reports each change once', async () => {
    let changes = 0;
    clock.onFitness(() => changes++);
    await addSamples(200);
    expect(clock.errorMs).toBeLessThan(50);
    const found: unknown[] = [];
    for (const offMs of [1_900, 2_200, 1_700, 1_300, 1_900, -2_200]) {
      machine.jump(offMs - (clock.offsetMs ?? 0));
      found.push([offMs, clock.fit, changes]);
    }
    expect(found).toEqual([
      [1_900, true, 0],
      [2_200, false, 1],
      [1_700, false, 1],
      [1_300, true, 2],
      [1_900, true, 2],
      [-2_200, false, 3],
    ]);
  });

  it('notices a jump of the machine’s clock at once and does not follow it', async () => {
    await addSamples(20);
    machine.jump(-3_600_000);
    expect(clock.fit).toBe(false);
    expect(isOffMs()).toBeLessThan(400);
    expect(clock.offsetMs).toBeLessThan(-3_599_000);
  });

  it('is slowed if it is up to 2 s ahead, and right after 2 s', async () => {
    await addSamples(200);
    // Three answers say that the clock is 1.5 s ahead.
    for (let i = 0; i < 3; i++) answer(Math.floor((world.now() - 1_500) / secondMs) * secondMs);
    const aheadMs: number[] = [];
    let before = clock.now();
    for (let i = 0; i < 30; i++) {
      await world.advance(100);
      const now = clock.now();
      expect(now - before).toBeGreaterThanOrEqual(0);
      expect(now - before).toBeLessThanOrEqual(100);
      aheadMs.push(now - world.now());
      before = now;
    }
    expect(aheadMs[5]).toBeLessThan(aheadMs[0] ?? 0);
    expect(aheadMs[20]).toBe(aheadMs[29]);
    expect(aheadMs[20]).toBeLessThanOrEqual(-400);
  });

  it('stands still and is unfit while it is more than 2 s ahead', async () => {
    begin(5_000);
    clock.now();
    await addSamples(1);
    const shownMs = clock.now();
    expect(shownMs - world.now()).toBe(5_000);
    expect(clock.fit).toBe(false);
    machine.jump(-5_000);
    await world.advance(1_000);
    expect(clock.now()).toBe(shownMs);
    expect(clock.fit).toBe(false);
    await world.advance(10_000);
    expect(clock.fit).toBe(true);
    expect(isOffMs()).toBeLessThan(1_020);
  });

  it('accepts three responses in a row that contradict the earlier ones, as after a suspend', async () => {
    await addSamples(20);
    const monotonic = machine.monotonic;
    machine.monotonic = () => monotonic() - 600_000;
    clock = Object.assign(clock, { monotonic: () => machine.monotonic() });
    await addSamples(3);
    expect(isOffMs()).toBeLessThan(1_000);
    expect(clock.fit).toBe(true);
  });

  it.each([3_600_000, -3_600_000])(
    'is corrected and becomes unfit by slow responses if there are no fast ones: clock off by %i ms',
    async (offMs) => {
      begin(offMs);
      await addSamples(1, 1_100);
      expect(clock.fit).toBe(false);
      expect(isOffMs()).toBeLessThanOrEqual(2_100);
      await addSamples(20, 8_000);
      await addSamples(20, 1_100);
      expect(isOffMs()).toBeLessThan(1_200);
      expect(Math.abs((clock.offsetMs ?? 0) - offMs)).toBeLessThan(1_100);
    },
  );

  it('is not made wrong by slow responses after fast ones', async () => {
    begin(60_000);
    await addSamples(20, 20_000);
    await addSamples(20);
    const errorMs = clock.errorMs ?? 0;
    await addSamples(5, 20_000);
    expect(isOffMs()).toBeLessThan(400);
    expect(clock.errorMs).toBeLessThan(errorMs + 100);
  });

  it.each([20, 2_000])(
    'ignores one or two wrong responses of %i ms, three that contradict each other, and accepts three that agree',
    async (tookMs) => {
      await addSamples(5, tookMs);
      answer(0, tookMs);
      expect(clock.now()).toBe(machine.now());
      await addSamples(1, tookMs);
      for (const aheadMs of [600_000, 1_200_000, 1_800_000, 600_000, 600_000]) {
        answer(world.now() + aheadMs, tookMs);
        expect(clock.fit).toBe(true);
        expect(clock.now()).toBe(machine.now());
      }
      answer(world.now() + 600_000, tookMs);
      expect(clock.fit).toBe(false);
      expect(isOffMs() - 600_000).toBeLessThanOrEqual(secondMs + tookMs);
    },
  );

  /** A machine whose time only the test moves, its corrected clock, and an answer with any time. */
  function atHand(offMs: number) {
    let [ms, machineOffMs] = [1_764_000_000_000, offMs];
    const own = { ...world.process(), now: () => ms + machineOffMs, monotonic: () => ms - 1_764_000_000_000 };
    const corrected = correctedClock(own);
    return {
      corrected,
      trueMs: () => ms,
      pass(passedMs: number): void {
        ms += passedMs;
      },
      jump(byMs: number): void {
        machineOffMs += byMs;
      },
      answer: (serverMs: number, tookMs: number) =>
        corrected.addSample({
          serverMs,
          requestedAtMs: own.monotonic() - tookMs,
          receivedAtMs: own.monotonic(),
        }),
    };
  }

  it('never goes back, by any sequence of answers, jumps of the machine’s clock and times without an answer', () => {
    const step = fc.record({
      passedMs: fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(100_000)),
      tookMs: fc.oneof(fc.nat(50), fc.nat(30_000), fc.constant(-5)),
      aheadMs: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: -3_000, max: 3_000 }) },
        { weight: 2, arbitrary: fc.integer({ min: -4_000_000, max: 4_000_000 }) },
        { weight: 1, arbitrary: fc.constantFrom(Number.NaN, -1e13, 1e13, Number.POSITIVE_INFINITY) },
      ),
      answers: fc.nat(4),
      jumpMs: fc.oneof(
        fc.constant(0),
        fc.integer({ min: -5_000, max: 5_000 }),
        fc.integer({ min: -1e7, max: 1e7 }),
      ),
      reads: fc.nat(3),
    });
    const offMs = fc.integer({ min: -20_000, max: 20_000 });
    fc.assert(
      fc.property(offMs, fc.array(step, { maxLength: 30, size: 'max' }), (off, run) => {
        const { corrected, trueMs, pass, jump, answer: give } = atHand(off);
        let before = Number.NEGATIVE_INFINITY;
        const look = (): void => {
          const now = corrected.now();
          expect(now).toBeGreaterThanOrEqual(before);
          before = now;
        };
        for (const one of run) {
          jump(one.jumpMs);
          for (let i = 0; i < one.reads; i++) look();
          for (let i = 0; i < one.answers; i++) give(trueMs() + one.aheadMs, one.tookMs);
          look();
          pass(one.passedMs);
          look();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('is never further from the service’s clock than the machine’s clock is, and right once it was slowed', () => {
    const step = fc.record({ passedMs: fc.nat(5_000), tookMs: fc.nat(4_000), backMs: fc.nat(4_000) });
    const offMs = fc.integer({ min: -20_000, max: 20_000 });
    fc.assert(
      fc.property(offMs, fc.array(step, { minLength: 1, maxLength: 20 }), (off, run) => {
        const { corrected, trueMs, pass, answer: give } = atHand(off);
        corrected.now();
        for (const { passedMs, tookMs, backMs } of run) {
          pass(passedMs + tookMs);
          give(Math.floor((trueMs() - Math.min(backMs, tookMs)) / secondMs) * secondMs, tookMs);
          expect(Math.abs(corrected.now() - trueMs())).toBeLessThanOrEqual(Math.abs(off) + 1);
        }
        const slowestMs = Math.max(...run.map(({ tookMs }) => tookMs));
        for (let i = 0; i < 25; i++) {
          pass(secondMs);
          corrected.now();
        }
        expect(Math.abs(corrected.now() - trueMs())).toBeLessThanOrEqual(slowestMs + secondMs + 50);
      }),
      { numRuns: 1_000 },
    );
  });
});
