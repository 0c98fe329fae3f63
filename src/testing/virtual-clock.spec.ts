import { describe, expect, it } from 'vitest';
import { virtualClock } from './virtual-clock.ts';

describe('a virtual clock', () => {
  it('stands still until it is advanced', async () => {
    const clock = virtualClock({ startMs: 1_000 });
    await clock.settle();
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
  });

  it('calls timers back in the order of their times, each at its time', async () => {
    const clock = virtualClock({ startMs: 0 });
    const calls: [string, number][] = [];
    const note = (name: string) => () => calls.push([name, clock.now()]);
    clock.after(30, note('c'));
    clock.after(10, note('a'));
    clock.after(30, note('d'));
    clock.after(20, note('b'));
    clock.after(31, note('late'));
    await clock.advance(30);
    expect(calls).toEqual([
      ['a', 10],
      ['b', 20],
      ['c', 30],
      ['d', 30],
    ]);
    expect(clock.nextAtMs).toBe(31);
  });

  it('lets the work that a timer began continue before time moves on', async () => {
    const clock = virtualClock({ startMs: 0 });
    const times: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        await clock.sleep(10);
        await new Promise<void>((resolve) => clock.soon(resolve));
        times.push(clock.now());
      }
    };
    void loop();
    await clock.advance(100);
    expect(times).toEqual([10, 20, 30, 40]);
  });

  it('ends a sleep whose signal is aborted and removes its timer', async () => {
    const clock = virtualClock();
    const abort = new AbortController();
    const slept = clock.sleep(1_000, abort.signal);
    abort.abort();
    await slept;
    expect(clock.pending).toBe(0);
  });

  it('returns the same random numbers and ids for the same seed, and others for another seed', () => {
    const draw = (seed: number) => {
      const clock = virtualClock({ seed });
      return [clock.random(), clock.random(), clock.uuid(), clock.uuid()];
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('in driven mode runs one callback per step and none by itself, the callbacks of soon() before timers', async () => {
    const clock = virtualClock({ startMs: 0, turns: 'driven' });
    const calls: string[] = [];
    clock.after(5, () => calls.push('timer'));
    clock.soon(() => calls.push('first'));
    clock.soon(() => calls.push('second'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual([]);
    expect(clock.pending).toBe(3);
    const steps = [clock.step(), clock.step(), clock.step(), clock.step()];
    expect(calls).toEqual(['first', 'second', 'timer']);
    expect(steps).toEqual([true, true, true, false]);
    expect(clock.now()).toBe(5);
  });

  it('in shuffle mode orders the callbacks of one moment by its seed alone', () => {
    const order = (seed: number): string => {
      const clock = virtualClock({ seed, shuffle: true, turns: 'driven' });
      let calls = '';
      for (const name of 'abcdefgh') clock.after(10, () => (calls += name));
      for (const name of 'ABCDEFGH') clock.soon(() => (calls += name));
      while (clock.step());
      return calls;
    };
    expect(order(3)).toBe(order(3));
    expect(order(3)).not.toBe(order(4));
    expect(order(3).slice(0, 8)).toMatch(/^[A-H]+$/);
  });
});

describe('a process on a virtual clock', () => {
  it('has a wall clock that may be off and jump, without an effect on its timers', async () => {
    const clock = virtualClock({ startMs: 100_000 });
    const node = clock.process(-1_000);
    expect(node.now()).toBe(99_000);
    let calledAtMs = 0;
    node.after(50, () => {
      calledAtMs = clock.now();
    });
    node.jump(60_000);
    expect(node.now()).toBe(159_000);
    await clock.advance(50);
    expect(calledAtMs).toBe(100_050);
    expect(node.monotonic()).toBe(50);
  });

  it('is never called back after it was killed', async () => {
    const clock = virtualClock();
    const node = clock.process();
    let calls = 0;
    const count = () => {
      calls++;
    };
    node.after(10, count);
    node.soon(count);
    void node.sleep(10).then(count);
    node.kill();
    node.after(10, count);
    node.soon(count);
    await clock.advance(1_000);
    expect(calls).toBe(0);
  });

  it('runs nothing and shows one time while it stands still, and then runs what came due in its order', async () => {
    const clock = virtualClock({ startMs: 100_000, turns: 'driven' });
    const node = clock.process();
    const calls: [string, number][] = [];
    const note = (name: string) => () => calls.push([name, node.monotonic()]);
    node.after(20, note('timer'));
    const cancel = node.after(30, note('cancelled'));
    await clock.advance(10);
    node.freeze();
    node.run(note('message'));
    await clock.advance(5_000);
    expect([node.now(), node.monotonic(), calls]).toEqual([100_010, 10, []]);
    cancel();
    node.thaw();
    expect([node.now(), node.isBehind]).toEqual([105_010, true]);
    await clock.settle();
    node.run(note('later'));
    expect(calls).toEqual([
      ['message', 5_010],
      ['timer', 5_010],
      ['later', 5_010],
    ]);
  });

  it('stands still again if that happens while it runs what came due', async () => {
    const clock = virtualClock({ turns: 'driven' });
    const node = clock.process();
    const calls: string[] = [];
    node.freeze();
    node.run(() => {
      calls.push('first');
      node.freeze();
    });
    node.run(() => calls.push('second'));
    node.thaw();
    await clock.advance(1_000);
    expect(calls).toEqual(['first']);
    node.thaw();
    await clock.advance(1_000);
    expect(calls).toEqual(['first', 'second']);
    expect(node.isBehind).toBe(false);
  });
});
