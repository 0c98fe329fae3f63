import { expect } from 'vitest';
import { timing } from '../../../src/core/limits.ts';
import type { Delivery } from '../../../src/ports/broker.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import type { Bench } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const heldMs = timing.leaseMs + timing.clockGuardMs;
const hourMs = 3_600_000;

async function receivedIds(bench: Bench): Promise<string[]> {
  return (await bench.receive({ tasks: 10 })).map((delivery) => delivery.message.id);
}

/** Accepted, heard and claimed by its hearer. */
async function receivedAndClaimed(
  bench: Bench,
  task: Snapshot,
): Promise<{ running: Snapshot; delivery: Delivery }> {
  const delivery = await bench.receiveOne();
  expect(delivery.message.id).toBe(task.id);
  return { running: await bench.claim(task), delivery };
}

export const taskDeliveries: Subject = (says) => {
  says('a ready task is heard, once it was rung where bells are apart', async (bench) => {
    const task = await bench.accept({ options: { priority: 'high' } });
    if (!bench.transactionalDispatch) {
      expect(await receivedIds(bench)).toEqual([]);
      await bench.sendIfExternal([task]);
    }
    const delivery = await bench.receiveOne();
    const { queue, priority, type, typeVersion, version } = delivery.message;
    expect({ queue, priority, type, typeVersion, version }).toEqual({
      queue: { tenant: 'acme', queue: 'mail' },
      priority: 'high',
      type: 'send',
      typeVersion: 1,
      version: 1,
    });
    expect(delivery).toMatchObject({ receiveCount: 1, sentAtMs: bench.now });
    if (delivery.snapshot !== undefined) expect(delivery.snapshot).toEqual(await bench.read(task));
  });

  says('to ring a task twice is to ring it once', async (bench) => {
    const task = await bench.acceptSent();
    expect(await bench.broker.send([bench.messageOf(task), bench.messageOf(task)])).toEqual([true, true]);
    expect(await receivedIds(bench)).toEqual([task.id]);
  });

  says('a duplicate submission brings no second bell', async (bench) => {
    const task = await bench.acceptSent({ key: 'k' });
    await bench.store.accept([bench.acceptance({ key: 'k' })]);
    await bench.sendIfExternal([task]);
    expect(await receivedIds(bench)).toEqual([task.id]);
  });

  says('a scheduled task is not heard before it is made ready', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 5_000 } });
    expect(await receivedIds(bench)).toEqual([]);
    await bench.clock.advance(6_000);
    expect(await receivedIds(bench)).toEqual([]);
    await bench.sendIfExternal([task], 'due');
    await bench.makeReady(task);
    expect(await receivedIds(bench)).toEqual([task.id]);
  });

  says('of a lane only the lowest is heard, and the next after the hand-over', async (bench) => {
    const [a, b] = await bench.acceptMany(2, () => ({ orderingKey: 'ann' }));
    if (!a || !b) expect.fail();
    await bench.sendIfExternal([a]);
    const { running, delivery } = await receivedAndClaimed(bench, a);
    expect(await receivedIds(bench)).toEqual([]);
    const done = await bench.succeed(running);
    await bench.broker.delete([delivery.receiptHandle]);
    expect(await receivedIds(bench)).toEqual([]);
    await bench.store.leave(bench.lane('ann'), a.id);
    await bench.sendIfExternal([b], 'handOver');
    expect(await receivedIds(bench)).toEqual([b.id]);
    await bench.handedOver(done);
    expect(await receivedIds(bench)).toEqual([]);
  });

  says('a lane whose lowest waits for a time is silent', async (bench) => {
    const first = await bench.accept({ orderingKey: 'ann', options: { delayMs: 5_000 } });
    await bench.accept({ orderingKey: 'ann' });
    expect(await receivedIds(bench)).toEqual([]);
    await bench.clock.advance(5_000);
    await bench.sendIfExternal([first], 'due');
    await bench.makeReady(first);
    expect(await receivedIds(bench)).toEqual([first.id]);
  });

  says('a task that was redriven from a released lane waits its turn', async (bench) => {
    const a = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    await bench.store.leave(bench.lane('ann'), a.id);
    const b = await bench.accept({ orderingKey: 'ann' });
    await bench.sendIfExternal([b]);
    const redriven = await bench.redrive(await bench.handedOver(a), true);
    await bench.makeReady(redriven);
    expect(await receivedIds(bench)).toEqual([b.id]);
  });

  says('a running task is silent until its lease is spent, then its bell comes back', async (bench) => {
    const { running } = await receivedAndClaimed(bench, await bench.acceptSent());
    await bench.clock.advance(heldMs - 1);
    expect(await receivedIds(bench)).toEqual([]);
    await bench.clock.advance(1);
    const delivery = await bench.receiveOne();
    expect(delivery).toMatchObject({ message: { id: running.id }, receiveCount: 2 });
    if (delivery.snapshot !== undefined) expect(delivery.snapshot).toEqual(running);
  });

  says('a heartbeat moves the bell on with the lease', async (bench) => {
    const { running, delivery } = await receivedAndClaimed(bench, await bench.acceptSent());
    await bench.clock.advance(10_000);
    const leaseEndAtMs = bench.now + timing.leaseMs;
    const expect_ = { fencingToken: running.head.fencingToken };
    await bench.done({ kind: 'renewal', id: running.id, expect: expect_, leaseEndAtMs, progress: undefined });
    expect(
      await bench.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: heldMs }]),
    ).toEqual([true]);
    await bench.clock.advance(heldMs - 1);
    expect(await receivedIds(bench)).toEqual([]);
    await bench.clock.advance(1);
    expect(await receivedIds(bench)).toEqual([running.id]);
  });

  says('an ended task whose bell was silenced is never heard again', async (bench) => {
    const { running, delivery } = await receivedAndClaimed(bench, await bench.acceptSent());
    await bench.succeed(running);
    await bench.broker.delete([delivery.receiptHandle]);
    await bench.clock.advance(hourMs);
    expect(await receivedIds(bench)).toEqual([]);
  });

  says(
    'a retried task is heard when it was made ready, by a bell that the old handle cannot touch',
    async (bench) => {
      const { running, delivery } = await receivedAndClaimed(bench, await bench.acceptSent());
      const failed = await bench.fail(running, 1_000);
      await bench.broker.delete([delivery.receiptHandle]);
      expect(await receivedIds(bench)).toEqual([]);
      await bench.clock.advance(1_000);
      await bench.sendIfExternal([failed], 'due');
      await bench.makeReady(failed);
      const again = await bench.receiveOne();
      expect(again.message.id).toBe(running.id);
      expect(await bench.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 0 }])).toEqual(
        [false],
      );
      expect(await receivedIds(bench)).toEqual([]);
    },
  );

  says('a task that was given back is heard at once', async (bench) => {
    const { running, delivery } = await receivedAndClaimed(bench, await bench.acceptSent());
    const release = bench.settleOf(running, { outcome: 'released', counted: false, random: 0 });
    await bench.done(bench.transition(running, release));
    if (!bench.transactionalDispatch)
      await bench.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 0 }]);
    expect(await receivedIds(bench)).toEqual([running.id]);
  });

  says('a task whose spent lease was ended without a claim is heard', async (bench) => {
    const { running } = await receivedAndClaimed(bench, await bench.acceptSent());
    await bench.clock.advance(heldMs);
    await bench.done(bench.transition(running, { kind: 'expire' }));
    expect(await receivedIds(bench)).toEqual([running.id]);
  });

  says(
    'where bells live in the process, those of leases spent for a while are found without a worker',
    async (bench) => {
      expect(bench.broker.expiredLeases !== undefined).toBe(bench.transactionalDispatch);
      const spent = async (): Promise<string[] | undefined> =>
        (await bench.broker.expiredLeases?.(bench.now, 1_500, 10))?.map((delivery) => delivery.message.id);
      const none = bench.transactionalDispatch ? [] : undefined;
      const { running } = await receivedAndClaimed(bench, await bench.acceptSent());
      await bench.acceptSent();
      await bench.clock.advance(heldMs + 1_499);
      expect(await spent()).toEqual(none);
      await bench.clock.advance(1);
      expect(await spent()).toEqual(bench.transactionalDispatch ? [running.id] : undefined);
      await bench.done(bench.transition(running, { kind: 'expire' }));
      expect(await spent()).toEqual(none);
    },
  );

  says('what is ready is heard by the process that comes after', async (bench) => {
    const ready = await bench.acceptSent();
    const claimed = await bench.claim(await bench.accept());
    await bench.reopen();
    expect(await receivedIds(bench)).toEqual([ready.id]);
    await bench.clock.advance(heldMs);
    await bench.sendIfExternal([claimed], 'again');
    expect((await receivedIds(bench)).toSorted()).toEqual([ready.id, claimed.id].toSorted());
  });
};
