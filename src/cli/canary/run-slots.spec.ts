import { describe, expect, it } from 'vitest';
import { type SlotResult, slotResults } from '../../core/objectives/slot-results.ts';
import { silentLog } from '../../ports/log.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { type Probe, runSlots } from './run-slots.ts';
import { SlotLog } from './slot-log.ts';

const slotMs = 10_000;

function loop(clock: VirtualClock, probe: Probe, slots?: number) {
  const counted = new Map<SlotResult, number>(slotResults.map((result) => [result, 0]));
  const counter = {
    count: (result: SlotResult, slots: number) => counted.set(result, (counted.get(result) ?? 0) + slots),
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  const done = runSlots({ clock, slotMs, probe, counter, onEnd() {}, signal, slots });
  const all = () => Object.fromEntries(counted);
  return { counted, all, stopping, done };
}

describe('the loop of the canary', () => {
  it('makes one probe in each slot', async () => {
    const clock = virtualClock();
    const slots: [slot: number, ms: number][] = [];
    const startMs = clock.monotonic();
    const { all, stopping, done } = loop(clock, async (slot) => {
      slots.push([slot, clock.monotonic() - startMs]);
      await clock.sleep(300);
      return { result: 'good' };
    });
    await clock.advance(34_000);
    expect(slots).toEqual([0, 1, 2, 3].map((slot) => [slot, slot * slotMs]));
    expect(all()).toMatchObject({ good: 4, late: 0, missed: 0 });
    stopping.abort();
    await done;
  });

  it('ends by itself after the wanted number of slots, without waiting for the end of the last one', async () => {
    const clock = virtualClock();
    const startMs = clock.monotonic();
    const { all, done } = loop(clock, async () => ({ result: 'good' }), 3);
    const ended = done.then(() => clock.monotonic() - startMs);
    await clock.advance(60_000);
    expect(await ended).toBe(2 * slotMs);
    expect(all()).toMatchObject({ good: 3 });
  });

  it('counts a slot as late whose probe has no result at its end, and ends that probe', async () => {
    const clock = virtualClock();
    const ended: number[] = [];
    const { all, stopping, done } = loop(clock, (slot, signal) => {
      signal.addEventListener('abort', () => ended.push(slot));
      return new Promise(() => {});
    });
    await clock.advance(20_001);
    expect(all()).toMatchObject({ good: 0, late: 2 });
    expect(ended).toEqual([0, 1]);
    stopping.abort();
    await done;
  });

  it('counts a slot as failed whose probe throws', async () => {
    const clock = virtualClock();
    const { all, stopping, done } = loop(clock, () => Promise.reject(new Error('defect')));
    await clock.advance(1);
    expect(all()).toMatchObject({ failed: 1 });
    stopping.abort();
    await done;
  });

  it('counts the slots as missed during which its process stood still', async () => {
    const clock = virtualClock();
    let lagMs = 0;
    // The process stands still in the middle of the first slot: all its timers come late by that time.
    const stalling = { ...clock, monotonic: () => clock.monotonic() + lagMs, sleep: clock.sleep.bind(clock) };
    const { all, stopping, done } = loop(stalling as unknown as VirtualClock, async () => ({
      result: 'good',
    }));
    await clock.advance(5_000);
    lagMs = 3 * slotMs;
    await clock.advance(5_000);
    expect(all()).toMatchObject({ good: 2, missed: 3 });
    stopping.abort();
    await done;
  });

  it('counts no slot that its end has cut off', async () => {
    const clock = virtualClock();
    const { all, stopping, done } = loop(clock, () => new Promise(() => {}));
    await clock.advance(5_000);
    stopping.abort();
    await done;
    expect(Object.values(all()).every((count) => count === 0)).toBe(true);
  });
});

it('bad slots are logged at once, then once a minute with their number, until slots are good again', async () => {
  const clock = virtualClock();
  const lines: [level: string, badSlots: unknown, message: string][] = [];
  const line =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push([level, (fields as { bad_slots?: number }).bad_slots, message]);
  const slotLog = new SlotLog(clock, { ...silentLog, info: line('info'), warn: line('warn') });
  for (let slot = 0; slot < 13; slot++) {
    slotLog.ended({ result: 'unreachable', error: new Error('nobody answers') });
    await clock.advance(slotMs);
  }
  for (let slot = 0; slot < 20; slot++) {
    slotLog.ended({ result: 'good' });
    await clock.advance(slotMs);
  }
  const bad = 'a slot of the canary was bad: nobody answers';
  expect(lines).toEqual([
    ['warn', 1, bad],
    ['warn', 6, bad],
    ['warn', 6, bad],
    ['info', 0, 'the canary’s slots are good again'],
  ]);
});
