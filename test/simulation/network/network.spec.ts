import { describe, expect, it } from 'vitest';
import { World } from '../world.ts';
import { Pipe } from './pipe.ts';
import { SimProcess } from './process.ts';

describe('one direction of a simulated stream', () => {
  it('delivers its messages in order, however late each message is', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World({ seed });
      const pipe = new Pipe(world);
      const received: number[] = [];
      for (let i = 0; i < 30; i++) pipe.send(() => received.push(i));
      await world.clock.advance(20_000);
      expect(received).toEqual(Array.from({ length: 30 }, (_, i) => i));
    }
  });

  it('loses the messages in flight when it is cut, and delivers no later message', async () => {
    const world = new World({ seed: 1 });
    const pipe = new Pipe(world);
    const received: string[] = [];
    pipe.send(() => received.push('before'));
    pipe.cut();
    pipe.send(() => received.push('after'));
    await world.clock.advance(20_000);
    expect(received).toEqual([]);
  });
});

describe('a simulated process', () => {
  it('runs no timer and receives no message while it is stalled, and gets all of them in order afterwards', async () => {
    const world = new World({ seed: 3 });
    const process = new SimProcess(world.clock, 'worker', 0);
    const received: string[] = [];
    process.stall(30_000);
    process.clock.after(10, () => received.push('timer'));
    world.clock.after(20_000, () => process.run(() => received.push('message')));
    const cancel = process.clock.after(15, () => received.push('cancelled'));
    world.clock.after(25_000, cancel);
    await world.clock.advance(29_000);
    expect(received).toEqual([]);
    await world.clock.advance(10_000);
    expect(received).toEqual(['timer', 'message']);
  });

  it('gets no timer callback and no message once it is dead', async () => {
    const world = new World({ seed: 3 });
    const process = new SimProcess(world.clock, 'worker', 0);
    const received: string[] = [];
    process.clock.after(10, () => received.push('timer'));
    process.clock.soon(() => received.push('turn'));
    process.kill();
    process.run(() => received.push('message'));
    await world.clock.advance(1_000);
    expect(received).toEqual([]);
  });
});
