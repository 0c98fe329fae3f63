import { describe, expect, it } from 'vitest';
import { DueBackoff } from './due-backoff.ts';

const entry = (id: string, dueAtMs = 5) => ({ id, dueAtMs });

/** Records each failure at the end of the previous backoff. Returns the length of each backoff in ms. */
function backoffsOf(count: number, fail: (nowMs: number) => void, isBackedOff: (nowMs: number) => boolean) {
  const lengths: number[] = [];
  for (let nowMs = 1_000; lengths.length < count; ) {
    fail(nowMs);
    const sinceMs = nowMs;
    while (isBackedOff(nowMs)) nowMs += 500;
    lengths.push(nowMs - sinceMs);
  }
  return lengths;
}

const doubled = [1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1_000);

describe('the backoff of due tasks', () => {
  it('doubles up to a minute for a task that fails again and again', () => {
    const backoff = new DueBackoff();
    const fail = (nowMs: number) => backoff.failed(entry('a'), 'q', nowMs);
    expect(backoffsOf(8, fail, (nowMs) => backoff.isBackedOff(entry('a'), nowMs))).toEqual(doubled);
  });

  it('doubles up to a minute for a queue in which every task fails', () => {
    const backoff = new DueBackoff();
    const fail = (nowMs: number) => backoff.queueTried('q', { sent: 0, failed: 10 }, nowMs);
    expect(backoffsOf(8, fail, (nowMs) => backoff.isQueueBackedOff('q', nowMs))).toEqual(doubled);
  });

  it('starts again at 1 s after a success, and for a task whose due time has changed', () => {
    const backoff = new DueBackoff();
    for (let nowMs = 0; nowMs < 300_000; nowMs += 60_000) backoff.failed(entry('a'), 'q', nowMs);
    expect(backoff.isBackedOff(entry('a', 6), 300_000)).toBe(false);
    backoff.failed(entry('a', 6), 'q', 300_000);
    expect(backoff.isBackedOff(entry('a', 6), 301_000)).toBe(false);
    backoff.succeeded('a');
    expect(backoff.isBackedOff(entry('a', 6), 300_000)).toBe(false);
  });

  it('covers a whole queue only if at least ten of its tasks failed and none was dispatched', () => {
    const backoff = new DueBackoff();
    backoff.queueTried('few', { sent: 0, failed: 9 }, 0);
    backoff.queueTried('some', { sent: 1, failed: 90 }, 0);
    backoff.queueTried('none', { sent: 0, failed: 0 }, 0);
    backoff.queueTried('all', { sent: 0, failed: 10 }, 0);
    expect(['few', 'some', 'none', 'all'].filter((queue) => backoff.isQueueBackedOff(queue, 1))).toEqual([
      'all',
    ]);
  });

  it('covers each known task of a backed-off queue until one task of the queue is dispatched', () => {
    const backoff = new DueBackoff();
    backoff.queueTried('q', { sent: 0, failed: 10 }, 0);
    backoff.skipped(entry('a'), 'q');
    backoff.failed(entry('b'), 'q', 0);
    expect([backoff.isBackedOff(entry('a'), 999), backoff.isBackedOff(entry('b'), 999)]).toEqual([
      true,
      true,
    ]);
    backoff.queueTried('q', { sent: 0, failed: 1 }, 1_000);
    expect([backoff.isBackedOff(entry('a'), 2_999), backoff.isBackedOff(entry('b'), 2_999)]).toEqual([
      true,
      true,
    ]);
    backoff.queueTried('q', { sent: 1, failed: 99 }, 3_000);
    expect([backoff.isBackedOff(entry('a'), 3_000), backoff.isBackedOff(entry('b'), 3_000)]).toEqual([
      false,
      false,
    ]);
    expect(backoff.size).toBe(0);
  });

  it('is remembered for a limited number of tasks: the tasks that failed first', () => {
    const backoff = new DueBackoff(3);
    for (const id of ['a', 'b', 'c', 'd']) backoff.failed(entry(id), 'q', 0);
    expect(['a', 'b', 'c', 'd'].map((id) => backoff.isBackedOff(entry(id), 0))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    backoff.failed(entry('a'), 'q', 1_000);
    expect(backoff.isBackedOff(entry('a'), 2_999)).toBe(true);
  });

  it('is forgotten for a task or a queue that was not tried within two minutes after the backoff ended', () => {
    const backoff = new DueBackoff();
    backoff.failed(entry('a'), 'q', 0);
    backoff.queueTried('q', { sent: 0, failed: 10 }, 0);
    backoff.prune(121_000);
    expect(backoff.size).toBe(1);
    backoff.prune(121_001);
    expect(backoff.size).toBe(0);
    backoff.queueTried('q', { sent: 0, failed: 10 }, 122_000);
    expect(backoff.isQueueBackedOff('q', 123_000)).toBe(false);
  });
});
