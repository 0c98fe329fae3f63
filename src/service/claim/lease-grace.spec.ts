import { describe, expect, it } from 'vitest';
import { stallingClock } from '../../../test/fixtures/stalling-clock.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { LeaseGrace } from './lease-grace.ts';

function site() {
  const clock = virtualClock();
  const own = clock.process();
  const stalling = stallingClock(own);
  let outageEndMs: number | undefined;
  const overload = {
    admit: () => () => {},
    view: () => {
      throw new Error('not used');
    },
    lastOutageEndMs: () => outageEndMs,
  };
  const grace = new LeaseGrace({ clock: stalling, log: silentLog, overload });
  return {
    clock,
    own,
    stalling,
    grace,
    /** Returns for how many ms from now no lease may expire. */
    leftMs: () => (grace.notBeforeMs(own.now()) ?? own.now()) - own.now(),
    outageEnds(atMs: number) {
      outageEndMs = atMs;
    },
  };
}

describe('the time for which no lease may expire in a process', () => {
  it('is 15 s from the start of the process', async () => {
    const { clock, grace, leftMs } = site();
    expect(leftMs()).toBe(0);
    grace.start();
    expect(leftMs()).toBe(15_000);
    await clock.advance(14_999);
    expect(leftMs()).toBe(1);
    await clock.advance(1);
    expect(leftMs()).toBe(0);
    grace.stop();
  });

  it('does not begin again while the process runs, however long nothing needs it', async () => {
    const { clock, grace, leftMs } = site();
    grace.start();
    await clock.advance(300_000);
    expect(leftMs()).toBe(0);
    grace.stop();
  });

  it('is 15 s from the end of a stall, even if it is needed before any timer has fired after the stall', async () => {
    const { clock, stalling, grace, leftMs } = site();
    grace.start();
    await clock.advance(60_000);
    stalling.stall();
    await clock.advance(40_000);
    expect(leftMs()).toBe(15_000);
    stalling.resume();
    expect(leftMs()).toBe(15_000);
    await clock.advance(15_000);
    expect(leftMs()).toBe(0);
    grace.stop();
  });

  it('is 15 s from the end of a stall that only a timer has noticed', async () => {
    const { clock, stalling, grace, leftMs } = site();
    grace.start();
    await clock.advance(60_000);
    stalling.stall();
    await clock.advance(4_500);
    stalling.resume();
    await clock.advance(5_000);
    expect(leftMs()).toBe(10_000);
    grace.stop();
  });

  it('begins after a suspend of the machine, during which the monotonic clock stood still', async () => {
    const { clock, own, grace, leftMs } = site();
    grace.start();
    await clock.advance(60_000);
    own.jump(45_000);
    expect(leftMs()).toBe(15_000);
    grace.stop();
  });

  it('does not begin after a stall of 2 s or a clock that was set back', async () => {
    const { clock, own, stalling, grace, leftMs } = site();
    grace.start();
    await clock.advance(60_000);
    stalling.stall();
    await clock.advance(2_000);
    stalling.resume();
    own.jump(-20_000);
    expect(leftMs()).toBe(0);
    await clock.advance(5_000);
    expect(leftMs()).toBe(0);
    grace.stop();
  });

  it('ends in spite of short stalls during it, which only lengthen it by their own length', async () => {
    const { clock, stalling, grace, leftMs } = site();
    grace.start();
    for (let i = 0; i < 3; i++) {
      await clock.advance(4_000);
      stalling.stall();
      await clock.advance(5_000);
      stalling.resume();
    }
    expect(leftMs()).toBe(3_000);
    await clock.advance(3_000);
    expect(leftMs()).toBe(0);
    grace.stop();
  });

  it('begins again after a long stall during it', async () => {
    const { clock, stalling, grace, leftMs } = site();
    grace.start();
    await clock.advance(5_000);
    stalling.stall();
    await clock.advance(30_000);
    stalling.resume();
    expect(leftMs()).toBe(15_000);
    grace.stop();
  });

  it('is 15 s from the end of an outage of the store', async () => {
    const { clock, grace, leftMs, outageEnds } = site();
    grace.start();
    await clock.advance(60_000);
    outageEnds(58_000);
    expect(leftMs()).toBe(13_000);
    await clock.advance(13_000);
    expect(leftMs()).toBe(0);
    grace.stop();
  });
});
