import { describe, expect, it } from 'vitest';
import { World } from '../world.ts';
import { Pipe } from './pipe.ts';
import { SimProcess } from './process.ts';

describe('one direction of a simulated stream', () => {
  it('keeps its order, however late each message is', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World({ seed });
      const pipe = new Pipe(world);
      const heard: number[] = [];
      for (let i = 0; i < 30; i++) pipe.send(() => heard.push(i));
      await world.clock.advance(20_000);
      expect(heard).toEqual(Array.from({ length: 30 }, (_, i) => i));
    }
  });

  it('loses what is under way when it is cut, and takes no more', async () => {
    const world = new World({ seed: 1 });
    const pipe = new Pipe(world);
    const heard: string[] = [];
    pipe.send(() => heard.push('before'));
    pipe.cut();
    pipe.send(() => heard.push('after'));
    await world.clock.advance(20_000);
    expect(heard).toEqual([]);
  });
});

describe('a simulated process', () => {
  it('hears nothing while it is held up, then everything in order', async () => {
    const world = new World({ seed: 3 });
    const process = new SimProcess(world, 'worker', 0);
    const heard: string[] = [];
    process.holdUp(30_000);
    process.clock.after(10, () => heard.push('timer'));
    world.clock.after(20_000, () => process.run(() => heard.push('message')));
    const cancel = process.clock.after(15, () => heard.push('cancelled'));
    world.clock.after(25_000, cancel);
    await world.clock.advance(29_000);
    expect(heard).toEqual([]);
    await world.clock.advance(10_000);
    expect(heard).toEqual(['timer', 'message']);
  });

  it('is never called back once it is dead', async () => {
    const world = new World({ seed: 3 });
    const process = new SimProcess(world, 'worker', 0);
    const heard: string[] = [];
    process.clock.after(10, () => heard.push('timer'));
    process.clock.soon(() => heard.push('turn'));
    process.kill();
    process.run(() => heard.push('message'));
    await world.clock.advance(1_000);
    expect(heard).toEqual([]);
  });
});
