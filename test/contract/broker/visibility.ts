import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Subject } from '../subject.ts';

const visibilityTimeoutMs = timing.leaseMs + timing.clockGuardMs;

export const visibility: Subject = (requires) => {
  requires(
    'a received message is hidden for the length of a lease plus its clock guard, then delivered again',
    async (fixture) => {
      const task = await fixture.acceptAndSend();
      const first = await fixture.receiveOne();
      await fixture.clock.advance(visibilityTimeoutMs - 1);
      expect(await fixture.receive()).toEqual([]);
      await fixture.clock.advance(1);
      const second = await fixture.receiveOne();
      expect(second).toMatchObject({ message: { id: task.id }, receiveCount: 2, sentAtMs: first.sentAtMs });
      expect(second.receiptHandle).not.toBe(first.receiptHandle);
    },
  );

  requires(
    'a receiver may lengthen and shorten the visibility timeout of a message any number of times',
    async (fixture) => {
      await fixture.acceptAndSend();
      const { receiptHandle } = await fixture.receiveOne();
      await fixture.clock.advance(30_000);
      expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([true]);
      await fixture.clock.advance(59_000);
      expect(await fixture.receive()).toEqual([]);
      expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 5_000 }])).toEqual([true]);
      await fixture.clock.advance(4_999);
      expect(await fixture.receive()).toEqual([]);
      await fixture.clock.advance(1);
      expect(await fixture.receive()).toHaveLength(1);
    },
  );

  requires('a message whose visibility timeout is set to 0 is delivered again at once', async (fixture) => {
    const task = await fixture.acceptAndSend();
    const { receiptHandle } = await fixture.receiveOne();
    expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 0 }])).toEqual([true]);
    expect((await fixture.receiveOne()).message.id).toBe(task.id);
  });

  requires('a receipt handle is stale once the visibility timeout has ended', async (fixture) => {
    await fixture.acceptAndSend();
    const { receiptHandle } = await fixture.receiveOne();
    await fixture.clock.advance(visibilityTimeoutMs);
    expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([false]);
    expect(await fixture.broker.delete([receiptHandle])).toEqual([false]);
    expect(await fixture.receive()).toHaveLength(1);
  });

  requires('a receipt handle is stale once the message was received again', async (fixture) => {
    await fixture.acceptAndSend();
    const { receiptHandle } = await fixture.receiveOne();
    await fixture.clock.advance(visibilityTimeoutMs);
    const second = await fixture.receiveOne();
    expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 0 }])).toEqual([false]);
    expect(await fixture.broker.delete([receiptHandle])).toEqual([false]);
    expect(await fixture.receive()).toEqual([]);
    expect(await fixture.broker.changeVisibility([{ receiptHandle: second.receiptHandle, ms: 0 }])).toEqual([
      true,
    ]);
    expect(await fixture.receive()).toHaveLength(1);
  });

  requires(
    'the results of changing visibility timeouts are in the order of the receipt handles, and a malformed handle is stale',
    async (fixture) => {
      const tasks = await fixture.acceptMany(2);
      await fixture.sendIfExternal(tasks);
      const [a, b] = await fixture.receive({ tasks: 2 });
      if (!a || !b) expect.fail();
      const receiptHandles = [a.receiptHandle, 'nonsense', '', b.receiptHandle, `${a.receiptHandle}x`];
      const results = await fixture.broker.changeVisibility(
        receiptHandles.map((receiptHandle) => ({ receiptHandle, ms: 0 })),
      );
      expect(results).toEqual([true, false, false, true, false]);
      expect(await fixture.receive()).toHaveLength(2);
    },
  );

  requires(
    'a message that becomes visible again is delivered before the newer messages of a backlog',
    async (fixture) => {
      const first = await fixture.acceptAndSend();
      await fixture.receiveOne();
      await fixture.sendIfExternal(await fixture.acceptMany(10));
      await fixture.clock.advance(visibilityTimeoutMs);
      const deliveries = await fixture.receive({ tasks: 3 });
      expect(deliveries.map((delivery) => delivery.message.id)).toContain(first.id);
    },
  );

  requires(
    'a task whose dispatch message was sent again is delivered again although the first message was deleted',
    async (fixture) => {
      const task = await fixture.acceptAndSend();
      const delivery = await fixture.receiveOne();
      expect(await fixture.broker.send([{ ...delivery.message, reason: 'again' }])).toEqual([true]);
      expect(await fixture.broker.delete([delivery.receiptHandle])).toEqual([true]);
      const again = await fixture.receiveOne();
      expect(again).toMatchObject({ message: { id: task.id }, receiveCount: 1 });
      expect(await fixture.receive()).toEqual([]);
    },
  );

  requires('a receipt handle stays valid when the task is claimed', async (fixture) => {
    const task = await fixture.acceptAndSend();
    const { receiptHandle } = await fixture.receiveOne();
    await fixture.claim(task);
    expect(await fixture.broker.changeVisibility([{ receiptHandle, ms: 60_000 }])).toEqual([true]);
    await fixture.clock.advance(59_999);
    expect(await fixture.receive()).toEqual([]);
    await fixture.clock.advance(1);
    expect(await fixture.receive()).toHaveLength(1);
  });
};
