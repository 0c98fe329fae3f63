import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Subject } from '../subject.ts';

const heldMs = timing.leaseMs + timing.clockGuardMs;

export const visibility: Subject = (says) => {
  says('a bell that was received is hidden for a lease and its guard, then heard again', async (bench) => {
    const task = await bench.acceptSent();
    const first = await bench.receiveOne();
    await bench.clock.advance(heldMs - 1);
    expect(await bench.receive()).toEqual([]);
    await bench.clock.advance(1);
    const second = await bench.receiveOne();
    expect(second).toMatchObject({ message: { id: task.id }, receiveCount: 2, sentAtMs: first.sentAtMs });
    expect(second.receiptHandle).not.toBe(first.receiptHandle);
  });

  says('its receiver may hide it for longer or shorter, as often as it likes', async (bench) => {
    await bench.acceptSent();
    const { receiptHandle } = await bench.receiveOne();
    await bench.clock.advance(30_000);
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([true]);
    await bench.clock.advance(59_000);
    expect(await bench.receive()).toEqual([]);
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 5_000 }])).toEqual([true]);
    await bench.clock.advance(4_999);
    expect(await bench.receive()).toEqual([]);
    await bench.clock.advance(1);
    expect(await bench.receive()).toHaveLength(1);
  });

  says('a bell that is hidden for no time is heard at once', async (bench) => {
    const task = await bench.acceptSent();
    const { receiptHandle } = await bench.receiveOne();
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 0 }])).toEqual([true]);
    expect((await bench.receiveOne()).message.id).toBe(task.id);
  });

  says('a handle is stale once its time has passed', async (bench) => {
    await bench.acceptSent();
    const { receiptHandle } = await bench.receiveOne();
    await bench.clock.advance(heldMs);
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([false]);
    expect(await bench.broker.delete([receiptHandle])).toEqual([false]);
    expect(await bench.receive()).toHaveLength(1);
  });

  says('a handle is stale once the bell was received anew', async (bench) => {
    await bench.acceptSent();
    const { receiptHandle } = await bench.receiveOne();
    await bench.clock.advance(heldMs);
    const second = await bench.receiveOne();
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 0 }])).toEqual([false]);
    expect(await bench.broker.delete([receiptHandle])).toEqual([false]);
    expect(await bench.receive()).toEqual([]);
    expect(await bench.broker.changeVisibility([{ receiptHandle: second.receiptHandle, ms: 0 }])).toEqual([
      true,
    ]);
    expect(await bench.receive()).toHaveLength(1);
  });

  says('handles are answered in their order, each alone; nonsense is stale', async (bench) => {
    const tasks = await bench.acceptMany(2);
    await bench.sendIfExternal(tasks);
    const [a, b] = await bench.receive({ tasks: 2 });
    if (!a || !b) expect.fail();
    const asked = [a.receiptHandle, 'nonsense', '', b.receiptHandle, `${a.receiptHandle}x`];
    const answers = await bench.broker.changeVisibility(
      asked.map((receiptHandle) => ({ receiptHandle, ms: 0 })),
    );
    expect(answers).toEqual([true, false, false, true, false]);
    expect(await bench.receive()).toHaveLength(2);
  });

  says('a bell that comes back is heard before a backlog', async (bench) => {
    const first = await bench.acceptSent();
    await bench.receiveOne();
    await bench.sendIfExternal(await bench.acceptMany(10));
    await bench.clock.advance(heldMs);
    const deliveries = await bench.receive({ tasks: 3 });
    expect(deliveries.map((delivery) => delivery.message.id)).toContain(first.id);
  });

  says('a bell rung anew and then silenced is heard again', async (bench) => {
    const task = await bench.acceptSent();
    const delivery = await bench.receiveOne();
    expect(await bench.broker.send([{ ...delivery.message, reason: 'again' }])).toEqual([true]);
    expect(await bench.broker.delete([delivery.receiptHandle])).toEqual([true]);
    const again = await bench.receiveOne();
    expect(again).toMatchObject({ message: { id: task.id }, receiveCount: 1 });
    expect(await bench.receive()).toEqual([]);
  });

  says('a bell goes on being held when its task is claimed, by the same handle', async (bench) => {
    const task = await bench.acceptSent();
    const { receiptHandle } = await bench.receiveOne();
    await bench.claim(task);
    expect(await bench.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([true]);
    await bench.clock.advance(59_999);
    expect(await bench.receive()).toEqual([]);
    await bench.clock.advance(1);
    expect(await bench.receive()).toHaveLength(1);
  });
};
