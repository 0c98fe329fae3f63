import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Delivery } from '../../../src/ports/broker.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const visibilityTimeoutMs = timing.leaseMs + timing.clockGuardMs;
const hourMs = 3_600_000;

async function receivedIds(fixture: StoreFixture): Promise<string[]> {
  return (await fixture.receive({ tasks: 10 })).map((delivery) => delivery.message.id);
}

/** Receives the task, which must be the next delivery, and claims it. */
async function receivedAndClaimed(
  fixture: StoreFixture,
  task: Snapshot,
): Promise<{ running: Snapshot; delivery: Delivery }> {
  const delivery = await fixture.receiveOne();
  expect(delivery.message.id).toBe(task.id);
  return { running: await fixture.claim(task), delivery };
}

export const taskDeliveries: Subject = (requires) => {
  requires(
    'a ready task is delivered, by an external broker only after the task’s dispatch message was sent',
    async (fixture) => {
      const task = await fixture.accept({ options: { priority: 'high' } });
      if (!fixture.transactionalDispatch) {
        expect(await receivedIds(fixture)).toEqual([]);
        await fixture.sendIfExternal([task]);
      }
      const delivery = await fixture.receiveOne();
      const { queue, priority, type, typeVersion, version } = delivery.message;
      expect({ queue, priority, type, typeVersion, version }).toEqual({
        queue: { tenant: 'acme', queue: 'mail' },
        priority: 'high',
        type: 'send',
        typeVersion: 1,
        version: 1,
      });
      expect(delivery).toMatchObject({ receiveCount: 1, sentAtMs: fixture.now });
      if (delivery.snapshot !== undefined) expect(delivery.snapshot).toEqual(await fixture.read(task));
    },
  );

  requires('a dispatch message that is sent twice is delivered once', async (fixture) => {
    const task = await fixture.acceptAndSend();
    expect(await fixture.broker.send([fixture.messageOf(task), fixture.messageOf(task)])).toEqual([
      true,
      true,
    ]);
    expect(await receivedIds(fixture)).toEqual([task.id]);
  });

  requires('a duplicate submission brings no second delivery', async (fixture) => {
    const task = await fixture.acceptAndSend({ key: 'k' });
    await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
    await fixture.sendIfExternal([task]);
    expect(await receivedIds(fixture)).toEqual([task.id]);
  });

  requires('a scheduled task is not delivered before it is made ready', async (fixture) => {
    const task = await fixture.accept({ options: { delayMs: 5_000 } });
    expect(await receivedIds(fixture)).toEqual([]);
    await fixture.clock.advance(6_000);
    expect(await receivedIds(fixture)).toEqual([]);
    await fixture.sendIfExternal([task], 'due');
    await fixture.makeReady(task);
    expect(await receivedIds(fixture)).toEqual([task.id]);
  });

  requires(
    'only the first task of a lane is delivered, and the second task once the first has left the lane',
    async (fixture) => {
      const [a, b] = await fixture.acceptMany(2, () => ({ orderingKey: 'ann' }));
      if (!a || !b) expect.fail();
      await fixture.sendIfExternal([a]);
      const { running, delivery } = await receivedAndClaimed(fixture, a);
      expect(await receivedIds(fixture)).toEqual([]);
      const done = await fixture.succeed(running);
      await fixture.broker.delete([delivery.receiptHandle]);
      expect(await receivedIds(fixture)).toEqual([]);
      await fixture.store.leaveLane(fixture.lane('ann'), a.id);
      await fixture.sendIfExternal([b], 'handOver');
      expect(await receivedIds(fixture)).toEqual([b.id]);
      await fixture.finishHandOver(done);
      expect(await receivedIds(fixture)).toEqual([]);
    },
  );

  requires('no task of a lane is delivered while its first task is scheduled', async (fixture) => {
    const first = await fixture.accept({ orderingKey: 'ann', options: { delayMs: 5_000 } });
    await fixture.accept({ orderingKey: 'ann' });
    expect(await receivedIds(fixture)).toEqual([]);
    await fixture.clock.advance(5_000);
    await fixture.sendIfExternal([first], 'due');
    await fixture.makeReady(first);
    expect(await receivedIds(fixture)).toEqual([first.id]);
  });

  requires(
    'a task that was redriven to the tail of its lane is not delivered before the tasks in front of it',
    async (fixture) => {
      const a = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
      await fixture.store.leaveLane(fixture.lane('ann'), a.id);
      const b = await fixture.accept({ orderingKey: 'ann' });
      await fixture.sendIfExternal([b]);
      const redriven = await fixture.redrive(await fixture.finishHandOver(a), true);
      await fixture.makeReady(redriven);
      expect(await receivedIds(fixture)).toEqual([b.id]);
    },
  );

  requires(
    'a running task is not delivered before its lease expires, and is delivered again then',
    async (fixture) => {
      const { running } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      await fixture.clock.advance(visibilityTimeoutMs - 1);
      expect(await receivedIds(fixture)).toEqual([]);
      await fixture.clock.advance(1);
      const delivery = await fixture.receiveOne();
      expect(delivery).toMatchObject({ message: { id: running.id }, receiveCount: 2 });
      if (delivery.snapshot !== undefined) expect(delivery.snapshot).toEqual(running);
    },
  );

  requires(
    'a heartbeat with a visibility change delays the redelivery until the new end of the lease',
    async (fixture) => {
      const { running, delivery } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      await fixture.clock.advance(10_000);
      const leaseEndAtMs = fixture.now + timing.leaseMs;
      const condition = { fencingToken: running.head.fencingToken };
      await fixture.apply({
        kind: 'renewal',
        id: running.id,
        expect: condition,
        leaseEndAtMs,
        begun: true,
        progress: undefined,
      });
      expect(
        await fixture.broker.changeVisibility([
          { receiptHandle: delivery.receiptHandle, ms: visibilityTimeoutMs },
        ]),
      ).toEqual([true]);
      await fixture.clock.advance(visibilityTimeoutMs - 1);
      expect(await receivedIds(fixture)).toEqual([]);
      await fixture.clock.advance(1);
      expect(await receivedIds(fixture)).toEqual([running.id]);
    },
  );

  requires('an ended task whose message was deleted is never delivered again', async (fixture) => {
    const { running, delivery } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
    await fixture.succeed(running);
    await fixture.broker.delete([delivery.receiptHandle]);
    await fixture.clock.advance(hourMs);
    expect(await receivedIds(fixture)).toEqual([]);
  });

  requires(
    'a retried task is delivered once it is ready, by a new message that the receipt handle of the first delivery cannot change',
    async (fixture) => {
      const { running, delivery } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      const failed = await fixture.fail(running, 1_000);
      await fixture.broker.delete([delivery.receiptHandle]);
      expect(await receivedIds(fixture)).toEqual([]);
      await fixture.clock.advance(1_000);
      await fixture.sendIfExternal([failed], 'due');
      await fixture.makeReady(failed);
      const again = await fixture.receiveOne();
      expect(again.message.id).toBe(running.id);
      expect(
        await fixture.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 0 }]),
      ).toEqual([false]);
      expect(await receivedIds(fixture)).toEqual([]);
    },
  );

  requires('a task that its worker released is delivered at once', async (fixture) => {
    const { running, delivery } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
    const release = fixture.settleCommand(running, {
      outcome: 'released',
      countsAsRelease: false,
      begun: false,
    });
    await fixture.apply(fixture.transition(running, release));
    if (!fixture.transactionalDispatch)
      await fixture.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 0 }]);
    expect(await receivedIds(fixture)).toEqual([running.id]);
  });

  requires(
    'a task whose worker reported the end of its process is delivered at once, and dies at the third',
    async (fixture) => {
      let { running, delivery } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      for (let losses = 1; losses <= 3; losses++) {
        const loss = fixture.settleCommand(running, { outcome: 'lost', message: 'exit code 1' });
        const { head } = await fixture.apply(fixture.transition(running, loss));
        expect(head).toMatchObject({ losses, attempt: 0, state: losses < 3 ? 'waiting' : 'dead' });
        if (losses === 3) break;
        if (!fixture.transactionalDispatch)
          await fixture.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 0 }]);
        const [task] = await fixture.store.read([running.id], fixture.now);
        ({ running, delivery } = await receivedAndClaimed(fixture, task ?? expect.fail('no task')));
      }
    },
  );

  requires(
    'a task whose expired lease was ended by an event, without a new claim, is delivered',
    async (fixture) => {
      const { running } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      await fixture.clock.advance(visibilityTimeoutMs);
      await fixture.apply(fixture.transition(running, { kind: 'expire' }));
      expect(await receivedIds(fixture)).toEqual([running.id]);
    },
  );

  requires(
    'a transactional broker lists the running tasks whose leases have been expired for a given time',
    async (fixture) => {
      expect(fixture.broker.expiredLeases !== undefined).toBe(fixture.transactionalDispatch);
      const expiredIds = async (): Promise<string[] | undefined> =>
        (await fixture.broker.expiredLeases?.(fixture.now, 1_500, 10))?.map(
          (delivery) => delivery.message.id,
        );
      const none = fixture.transactionalDispatch ? [] : undefined;
      const { running } = await receivedAndClaimed(fixture, await fixture.acceptAndSend());
      await fixture.acceptAndSend();
      await fixture.clock.advance(visibilityTimeoutMs + 1_499);
      expect(await expiredIds()).toEqual(none);
      await fixture.clock.advance(1);
      expect(await expiredIds()).toEqual(fixture.transactionalDispatch ? [running.id] : undefined);
      await fixture.apply(fixture.transition(running, { kind: 'expire' }));
      expect(await expiredIds()).toEqual(none);
    },
  );

  requires('a ready task is delivered by the next process that opens the store', async (fixture) => {
    const ready = await fixture.acceptAndSend();
    const claimed = await fixture.claim(await fixture.accept());
    await fixture.reopen();
    expect(await receivedIds(fixture)).toEqual([ready.id]);
    await fixture.clock.advance(visibilityTimeoutMs);
    await fixture.sendIfExternal([claimed], 'again');
    expect((await receivedIds(fixture)).toSorted()).toEqual([ready.id, claimed.id].toSorted());
  });
};
