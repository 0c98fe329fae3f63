import { describe, expect, it } from 'vitest';
import { Pauses } from './due-backoff.ts';

const entry = (id: string, dueAtMs = 5) => ({ id, dueAtMs });

/** How long each pause is, where one failure follows at the end of the other. */
function pausesOf(count: number, fail: (nowMs: number) => void, isPaused: (nowMs: number) => boolean) {
  const lengths: number[] = [];
  for (let nowMs = 1_000; lengths.length < count; ) {
    fail(nowMs);
    const sinceMs = nowMs;
    while (isPaused(nowMs)) nowMs += 500;
    lengths.push(nowMs - sinceMs);
  }
  return lengths;
}

const doubled = [1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1_000);

describe('the pauses of due tasks', () => {
  it('of a task that fails again and again double to a minute', () => {
    const pauses = new Pauses();
    const fail = (nowMs: number) => pauses.failed(entry('a'), 'q', nowMs);
    expect(pausesOf(8, fail, (nowMs) => pauses.has(entry('a'), nowMs))).toEqual(doubled);
  });

  it('of a queue in which everything fails double to a minute', () => {
    const pauses = new Pauses();
    const fail = (nowMs: number) => pauses.judge('q', { sent: 0, failed: 10 }, nowMs);
    expect(pausesOf(8, fail, (nowMs) => pauses.hasQueue('q', nowMs))).toEqual(doubled);
  });

  it('begin anew for a task that was helped, and for one that is due for another reason', () => {
    const pauses = new Pauses();
    for (let nowMs = 0; nowMs < 300_000; nowMs += 60_000) pauses.failed(entry('a'), 'q', nowMs);
    expect(pauses.has(entry('a', 6), 300_000)).toBe(false);
    pauses.failed(entry('a', 6), 'q', 300_000);
    expect(pauses.has(entry('a', 6), 301_000)).toBe(false);
    pauses.helped('a');
    expect(pauses.has(entry('a', 6), 300_000)).toBe(false);
  });

  it('are a queue’s own only where ten or more failed and none could be rung', () => {
    const pauses = new Pauses();
    pauses.judge('few', { sent: 0, failed: 9 }, 0);
    pauses.judge('some', { sent: 1, failed: 90 }, 0);
    pauses.judge('none', { sent: 0, failed: 0 }, 0);
    pauses.judge('all', { sent: 0, failed: 10 }, 0);
    expect(['few', 'some', 'none', 'all'].filter((queue) => pauses.hasQueue(queue, 1))).toEqual(['all']);
  });

  it('of a queue hold for each of its tasks that was met, and for none once one of them could be rung', () => {
    const pauses = new Pauses();
    pauses.judge('q', { sent: 0, failed: 10 }, 0);
    pauses.leftAlone(entry('a'), 'q');
    pauses.failed(entry('b'), 'q', 0);
    expect([pauses.has(entry('a'), 999), pauses.has(entry('b'), 999)]).toEqual([true, true]);
    pauses.judge('q', { sent: 0, failed: 1 }, 1_000);
    expect([pauses.has(entry('a'), 2_999), pauses.has(entry('b'), 2_999)]).toEqual([true, true]);
    pauses.judge('q', { sent: 1, failed: 99 }, 3_000);
    expect([pauses.has(entry('a'), 3_000), pauses.has(entry('b'), 3_000)]).toEqual([false, false]);
    expect(pauses.size).toBe(0);
  });

  it('are remembered for so many tasks and no more, those that came first', () => {
    const pauses = new Pauses(3);
    for (const id of ['a', 'b', 'c', 'd']) pauses.failed(entry(id), 'q', 0);
    expect(['a', 'b', 'c', 'd'].map((id) => pauses.has(entry(id), 0))).toEqual([true, true, true, false]);
    pauses.failed(entry('a'), 'q', 1_000);
    expect(pauses.has(entry('a'), 2_999)).toBe(true);
  });

  it('are forgotten where nobody met them again for two minutes', () => {
    const pauses = new Pauses();
    pauses.failed(entry('a'), 'q', 0);
    pauses.judge('q', { sent: 0, failed: 10 }, 0);
    pauses.prune(121_000);
    expect(pauses.size).toBe(1);
    pauses.prune(121_001);
    expect(pauses.size).toBe(0);
    pauses.judge('q', { sent: 0, failed: 10 }, 122_000);
    expect(pauses.hasQueue('q', 123_000)).toBe(false);
  });
});
