import { expect } from 'vitest';
import type { Delivery } from '../../../src/ports/broker.ts';
import type { StoreFixture, SubmissionRequest } from '../store-fixture.ts';
import { queue } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const deliveredIds = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map((delivery) => delivery.message.id);

async function acceptManySent(
  fixture: StoreFixture,
  count: number,
  request: (i: number) => SubmissionRequest = () => ({}),
) {
  const tasks = await fixture.acceptMany(count, request);
  for (let i = 0; i < tasks.length; i += 10) await fixture.sendIfExternal(tasks.slice(i, i + 10));
  return tasks;
}

export const deliveries: Subject = (requires) => {
  requires('a receive call returns the oldest tasks first, no more than it has room for', async (fixture) => {
    const tasks = await acceptManySent(fixture, 5);
    expect(deliveredIds(await fixture.receive({ tasks: 2 }))).toEqual([tasks[0]?.id, tasks[1]?.id]);
    expect(deliveredIds(await fixture.receive({ tasks: 2 }))).toEqual([tasks[2]?.id, tasks[3]?.id]);
    expect(deliveredIds(await fixture.receive({ tasks: 2 }))).toEqual([tasks[4]?.id]);
    expect(await fixture.receive()).toEqual([]);
  });

  requires('a receive call without room returns no task and hides no message', async (fixture) => {
    const task = await fixture.acceptAndSend();
    expect(await fixture.receive({ tasks: 0 })).toEqual([]);
    expect(await fixture.receive({ bytes: 0 })).toEqual([]);
    expect(deliveredIds(await fixture.receive())).toEqual([task.id]);
  });

  requires(
    'a receive call returns no more bytes than it has room for, if the broker knows the tasks’ sizes',
    async (fixture) => {
      const payload = new Uint8Array(1_000);
      const tasks = await acceptManySent(fixture, 4, () => ({ payload }));
      const size = tasks[0]?.submission.spec.length ?? 0;
      const deliveries = await fixture.receive({ bytes: size * 2 + 1 });
      if (deliveries[0]?.snapshot === undefined) expect(deliveries).toHaveLength(4);
      else expect(deliveredIds(deliveries)).toEqual([tasks[0]?.id, tasks[1]?.id]);
    },
  );

  requires(
    'a task that is larger than a receive call’s room in bytes is delivered alone',
    async (fixture) => {
      const [large] = await acceptManySent(fixture, 2, () => ({ payload: new Uint8Array(1_000) }));
      const [delivery, ...more] = await fixture.receive({ bytes: 10 });
      expect(delivery?.message.id).toBe(large?.id);
      if (delivery?.snapshot !== undefined) expect(more).toEqual([]);
    },
  );

  requires('higher priorities are delivered first, and no priority starves', async (fixture) => {
    const low = await fixture.accept({ options: { priority: 'low' } });
    const normal = await fixture.accept();
    const high = await fixture.acceptMany(20, () => ({ options: { priority: 'high' } }));
    await fixture.sendIfExternal([low, normal]);
    await fixture.sendIfExternal(high);
    const order: string[] = [];
    for (let i = 0; i < 22; i++) order.push((await fixture.receiveOne()).message.id);
    expect(order[0]).toBe(high[0]?.id);
    expect(order.indexOf(low.id)).toBeLessThan(16);
    expect(order.indexOf(normal.id)).toBeGreaterThan(16);
    expect(order.filter((id) => id !== low.id && id !== normal.id)).toEqual(high.map((task) => task.id));
  });

  requires(
    'a transactional broker delivers no task type or version that the worker does not handle',
    async (fixture) => {
      const wanted = await fixture.accept({ typeVersion: 2 });
      const other = await fixture.accept({ type: 'other' });
      const newer = await fixture.accept({ typeVersion: 3 });
      await fixture.sendIfExternal([wanted, other, newer]);
      const deliveries = await fixture.receive({ types: [{ type: 'send', maxVersion: 2 }] });
      if (fixture.transactionalDispatch) expect(deliveredIds(deliveries)).toEqual([wanted.id]);
      else expect(deliveries.map((delivery) => delivery.message.type)).toEqual(['send', 'other', 'send']);
      if (!fixture.transactionalDispatch) return;
      const rest = await fixture.receive({
        types: [
          { type: 'send', maxVersion: 3 },
          { type: 'other', maxVersion: 9 },
        ],
      });
      expect(deliveredIds(rest).toSorted()).toEqual([other.id, newer.id].toSorted());
    },
  );

  requires('a receive call returns tasks of all its queues and of no other queue', async (fixture) => {
    const mine = await fixture.acceptAndSend();
    const other = await fixture.acceptAndSend({ queue: 'other' });
    const foreign = await fixture.acceptAndSend({ tenant: 'other' });
    expect(deliveredIds(await fixture.receive({}, [{ tenant: 'acme', queue: 'nobody' }]))).toEqual([]);
    expect(deliveredIds(await fixture.receive())).toEqual([mine.id]);
    const both = [queue, { tenant: 'acme', queue: 'other' }, { tenant: 'other', queue: 'mail' }];
    expect(deliveredIds(await fixture.receive({}, both)).toSorted()).toEqual(
      [other.id, foreign.id].toSorted(),
    );
  });

  requires('concurrent receive calls never return the same message', async (fixture) => {
    const tasks = await acceptManySent(fixture, 12);
    const received = await Promise.all(Array.from({ length: 6 }, () => fixture.receive({ tasks: 3 })));
    const given = received.flatMap(deliveredIds);
    expect(given.toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
  });

  requires('a waiting receive call ends as soon as a task is ready', async (fixture) => {
    const waiting = fixture.receive({ waitMs: 20_000 });
    await fixture.clock.advance(5_000);
    const task = await fixture.acceptAndSend();
    expect(deliveredIds(await waiting)).toEqual([task.id]);
    expect(await fixture.receive()).toEqual([]);
  });

  requires(
    'a dispatch message that is sent just after a receive call found none ends the wait of the call at once',
    async (fixture) => {
      const startMs = fixture.now;
      for (let steps = 0; steps < 8; steps++) {
        // A transactional broker sends a task's dispatch message in the commit that accepts the task.
        const early = fixture.transactionalDispatch ? undefined : await fixture.accept();
        const waiting = fixture.receive({ waitMs: 20_000 });
        for (let i = 0; i < steps; i++) await undefined;
        const task = early ?? (await fixture.accept());
        await fixture.sendIfExternal([task]);
        expect(deliveredIds(await waiting)).toEqual([task.id]);
      }
      expect(fixture.now).toBe(startMs);
    },
  );

  requires('waiting receive calls are each given different messages', async (fixture) => {
    const waiting = Array.from({ length: 3 }, () => fixture.receive({ waitMs: 20_000, tasks: 1 }));
    await fixture.clock.settle();
    const tasks = await acceptManySent(fixture, 3);
    const given = (await Promise.all(waiting)).flatMap(deliveredIds);
    expect(given.toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
  });

  requires('a waiting receive call returns nothing when its wait time is over', async (fixture) => {
    let ended = false;
    const waiting = fixture.receive({ waitMs: 20_000 }).then((deliveries) => {
      ended = true;
      return deliveries;
    });
    await fixture.clock.advance(19_999);
    expect(ended).toBe(false);
    await fixture.clock.advance(1);
    expect(await waiting).toEqual([]);
  });

  requires(
    'a waiting receive call returns nothing when it is aborted, and takes no message later',
    async (fixture) => {
      const aborted = new AbortController();
      const waiting = fixture.receive({ waitMs: 20_000, signal: aborted.signal });
      await fixture.clock.settle();
      aborted.abort();
      expect(await waiting).toEqual([]);
      const task = await fixture.acceptAndSend();
      expect(await fixture.receive({ waitMs: 20_000, signal: aborted.signal })).toEqual([]);
      // A poll may last longer than the receive call that began it, so the message may still be on its way to this
      // process.
      expect(deliveredIds(await fixture.receive({ waitMs: 20_000 }))).toEqual([task.id]);
    },
  );

  requires(
    'a waiting receive call returns a hidden message as soon as the message’s visibility timeout ends',
    async (fixture) => {
      const task = await fixture.acceptAndSend();
      const delivery = await fixture.receiveOne();
      await fixture.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 7_000 }]);
      const waiting = fixture.receive({ waitMs: 20_000 });
      await fixture.clock.advance(7_000);
      expect(deliveredIds(await waiting)).toEqual([task.id]);
    },
  );

  requires('a waiting receive call without room leaves messages to other calls', async (fixture) => {
    const full = fixture.receive({ waitMs: 20_000, tasks: 0 });
    await fixture.clock.settle();
    const task = await fixture.acceptAndSend();
    await fixture.clock.settle();
    expect(deliveredIds(await fixture.receive())).toEqual([task.id]);
    await fixture.clock.advance(20_000);
    expect(await full).toEqual([]);
  });

  requires('a waiting receive call determines its room when messages become visible', async (fixture) => {
    let tasks = 0;
    const room = () => ({ tasks, bytes: 1_000_000 });
    const waiting = fixture.receive({ waitMs: 20_000, room });
    await fixture.clock.settle();
    tasks = 2;
    const accepted = await acceptManySent(fixture, 3);
    const first = deliveredIds(await waiting);
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThanOrEqual(2);
    const rest = deliveredIds(await fixture.receive());
    expect([...first, ...rest].toSorted()).toEqual(accepted.map((task) => task.id).toSorted());
  });

  requires('a backlog is delivered to its end, each message once', async (fixture) => {
    const tasks = await acceptManySent(fixture, 350);
    const given = new Set<string>();
    for (let i = 0; i < 350 && given.size < tasks.length; i++) {
      for (const id of deliveredIds(await fixture.receive({ tasks: 64 }))) {
        expect(given.has(id)).toBe(false);
        given.add(id);
      }
    }
    expect(given.size).toBe(tasks.length);
  });
};
