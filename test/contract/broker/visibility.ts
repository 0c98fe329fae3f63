import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Subject } from '../subject.ts';

const heldMs = timing.leaseMs + timing.clockGuardMs;

export const bellsHeld: Subject = (says) => {
  says('a bell that was received is hidden for a lease and its guard, then heard again', async (bench) => {
    const task = await bench.acceptRung();
    const first = await bench.hearOne();
    await bench.clock.advance(heldMs - 1);
    expect(await bench.hear()).toEqual([]);
    await bench.clock.advance(1);
    const second = await bench.hearOne();
    expect(second).toMatchObject({ ring: { id: task.id }, receives: 2, sentAtMs: first.sentAtMs });
    expect(second.handle).not.toBe(first.handle);
  });

  says('its receiver may hide it for longer or shorter, as often as it likes', async (bench) => {
    await bench.acceptRung();
    const { handle } = await bench.hearOne();
    await bench.clock.advance(30_000);
    expect(await bench.bells.hide([{ handle, ms: 60_000 }])).toEqual([true]);
    await bench.clock.advance(59_000);
    expect(await bench.hear()).toEqual([]);
    expect(await bench.bells.hide([{ handle, ms: 5_000 }])).toEqual([true]);
    await bench.clock.advance(4_999);
    expect(await bench.hear()).toEqual([]);
    await bench.clock.advance(1);
    expect(await bench.hear()).toHaveLength(1);
  });

  says('a bell that is hidden for no time is heard at once', async (bench) => {
    const task = await bench.acceptRung();
    const { handle } = await bench.hearOne();
    expect(await bench.bells.hide([{ handle, ms: 0 }])).toEqual([true]);
    expect((await bench.hearOne()).ring.id).toBe(task.id);
  });

  says('a handle is stale once its time has passed', async (bench) => {
    await bench.acceptRung();
    const { handle } = await bench.hearOne();
    await bench.clock.advance(heldMs);
    expect(await bench.bells.hide([{ handle, ms: 60_000 }])).toEqual([false]);
    expect(await bench.bells.silence([handle])).toEqual([false]);
    expect(await bench.hear()).toHaveLength(1);
  });

  says('a handle is stale once the bell was received anew', async (bench) => {
    await bench.acceptRung();
    const { handle } = await bench.hearOne();
    await bench.clock.advance(heldMs);
    const second = await bench.hearOne();
    expect(await bench.bells.hide([{ handle, ms: 0 }])).toEqual([false]);
    expect(await bench.bells.silence([handle])).toEqual([false]);
    expect(await bench.hear()).toEqual([]);
    expect(await bench.bells.hide([{ handle: second.handle, ms: 0 }])).toEqual([true]);
    expect(await bench.hear()).toHaveLength(1);
  });

  says('handles are answered in their order, each alone; nonsense is stale', async (bench) => {
    const tasks = await bench.acceptMany(2);
    await bench.ringIfApart(tasks);
    const [a, b] = await bench.hear({ tasks: 2 });
    if (!a || !b) expect.fail();
    const asked = [a.handle, 'nonsense', '', b.handle, `${a.handle}x`];
    const answers = await bench.bells.hide(asked.map((handle) => ({ handle, ms: 0 })));
    expect(answers).toEqual([true, false, false, true, false]);
    expect(await bench.hear()).toHaveLength(2);
  });

  says('a bell that comes back is heard before a backlog', async (bench) => {
    const first = await bench.acceptRung();
    await bench.hearOne();
    await bench.ringIfApart(await bench.acceptMany(10));
    await bench.clock.advance(heldMs);
    const bells = await bench.hear({ tasks: 3 });
    expect(bells.map((bell) => bell.ring.id)).toContain(first.id);
  });

  says('a bell rung anew and then silenced is heard again', async (bench) => {
    const task = await bench.acceptRung();
    const bell = await bench.hearOne();
    expect(await bench.bells.ring([{ ...bell.ring, reason: 'again' }])).toEqual([true]);
    expect(await bench.bells.silence([bell.handle])).toEqual([true]);
    const again = await bench.hearOne();
    expect(again).toMatchObject({ ring: { id: task.id }, receives: 1 });
    expect(await bench.hear()).toEqual([]);
  });

  says('a bell goes on being held when its task is claimed, by the same handle', async (bench) => {
    const task = await bench.acceptRung();
    const { handle } = await bench.hearOne();
    await bench.claim(task);
    expect(await bench.bells.hide([{ handle, ms: 60_000 }])).toEqual([true]);
    await bench.clock.advance(59_999);
    expect(await bench.hear()).toEqual([]);
    await bench.clock.advance(1);
    expect(await bench.hear()).toHaveLength(1);
  });
};
