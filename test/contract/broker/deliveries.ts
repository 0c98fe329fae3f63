import { expect } from 'vitest';
import type { Delivery } from '../../../src/ports/broker.ts';
import type { Asked, Bench } from '../store-fixture.ts';
import { queue } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const deliveredIds = (deliveries: readonly Delivery[]): string[] =>
  deliveries.map((delivery) => delivery.message.id);

async function manySent(bench: Bench, count: number, asked: (i: number) => Asked = () => ({})) {
  const tasks = await bench.acceptMany(count, asked);
  for (let i = 0; i < tasks.length; i += 10) await bench.sendIfExternal(tasks.slice(i, i + 10));
  return tasks;
}

export const deliveries: Subject = (says) => {
  says('the oldest are heard first, no more than there is room for', async (bench) => {
    const tasks = await manySent(bench, 5);
    expect(deliveredIds(await bench.receive({ tasks: 2 }))).toEqual([tasks[0]?.id, tasks[1]?.id]);
    expect(deliveredIds(await bench.receive({ tasks: 2 }))).toEqual([tasks[2]?.id, tasks[3]?.id]);
    expect(deliveredIds(await bench.receive({ tasks: 2 }))).toEqual([tasks[4]?.id]);
    expect(await bench.receive()).toEqual([]);
  });

  says('where there is no room nothing is heard and nothing hidden', async (bench) => {
    const task = await bench.acceptSent();
    expect(await bench.receive({ tasks: 0 })).toEqual([]);
    expect(await bench.receive({ bytes: 0 })).toEqual([]);
    expect(deliveredIds(await bench.receive())).toEqual([task.id]);
  });

  says('where the engine knows a task’s size, bytes limit what is heard', async (bench) => {
    const payload = new Uint8Array(1_000);
    const tasks = await manySent(bench, 4, () => ({ payload }));
    const size = tasks[0]?.submission.spec.length ?? 0;
    const deliveries = await bench.receive({ bytes: size * 2 + 1 });
    if (deliveries[0]?.snapshot === undefined) expect(deliveries).toHaveLength(4);
    else expect(deliveredIds(deliveries)).toEqual([tasks[0]?.id, tasks[1]?.id]);
  });

  says('one that is larger than the room is heard alone', async (bench) => {
    const [large] = await manySent(bench, 2, () => ({ payload: new Uint8Array(1_000) }));
    const [delivery, ...more] = await bench.receive({ bytes: 10 });
    expect(delivery?.message.id).toBe(large?.id);
    if (delivery?.snapshot !== undefined) expect(more).toEqual([]);
  });

  says('higher priorities are heard first, and none starves', async (bench) => {
    const low = await bench.accept({ options: { priority: 'low' } });
    const normal = await bench.accept();
    const high = await bench.acceptMany(20, () => ({ options: { priority: 'high' } }));
    await bench.sendIfExternal([low, normal]);
    await bench.sendIfExternal(high);
    const order: string[] = [];
    for (let i = 0; i < 22; i++) order.push((await bench.receiveOne()).message.id);
    expect(order[0]).toBe(high[0]?.id);
    expect(order.indexOf(low.id)).toBeLessThan(16);
    expect(order.indexOf(normal.id)).toBeGreaterThan(16);
    expect(order.filter((id) => id !== low.id && id !== normal.id)).toEqual(high.map((task) => task.id));
  });

  says(
    'a type or a version that the receiver lacks is kept back where the engine can tell',
    async (bench) => {
      const wanted = await bench.accept({ typeVersion: 2 });
      const other = await bench.accept({ type: 'other' });
      const newer = await bench.accept({ typeVersion: 3 });
      await bench.sendIfExternal([wanted, other, newer]);
      const deliveries = await bench.receive({ types: [{ type: 'send', maxVersion: 2 }] });
      if (bench.transactionalDispatch) expect(deliveredIds(deliveries)).toEqual([wanted.id]);
      else expect(deliveries.map((delivery) => delivery.message.type)).toEqual(['send', 'other', 'send']);
      if (!bench.transactionalDispatch) return;
      const rest = await bench.receive({
        types: [
          { type: 'send', maxVersion: 3 },
          { type: 'other', maxVersion: 9 },
        ],
      });
      expect(deliveredIds(rest).toSorted()).toEqual([other.id, newer.id].toSorted());
    },
  );

  says('only the queues that were asked for are heard, all of them', async (bench) => {
    const mine = await bench.acceptSent();
    const other = await bench.acceptSent({ queue: 'other' });
    const foreign = await bench.acceptSent({ tenant: 'other' });
    expect(deliveredIds(await bench.receive({}, [{ tenant: 'acme', queue: 'nobody' }]))).toEqual([]);
    expect(deliveredIds(await bench.receive())).toEqual([mine.id]);
    const both = [queue, { tenant: 'acme', queue: 'other' }, { tenant: 'other', queue: 'mail' }];
    expect(deliveredIds(await bench.receive({}, both)).toSorted()).toEqual([other.id, foreign.id].toSorted());
  });

  says('two receivers are never given one bell', async (bench) => {
    const tasks = await manySent(bench, 12);
    const answers = await Promise.all(Array.from({ length: 6 }, () => bench.receive({ tasks: 3 })));
    const given = answers.flatMap(deliveredIds);
    expect(given.toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
  });

  says('a wait ends as soon as something is heard', async (bench) => {
    const waiting = bench.receive({ waitMs: 20_000 });
    await bench.clock.advance(5_000);
    const task = await bench.acceptSent();
    expect(deliveredIds(await waiting)).toEqual([task.id]);
    expect(await bench.receive()).toEqual([]);
  });

  says('a bell that rings just when a receive has looked ends its wait at once', async (bench) => {
    const beganMs = bench.now;
    for (let steps = 0; steps < 8; steps++) {
      // Where bells are in the commit, the acceptance is the ring.
      const early = bench.transactionalDispatch ? undefined : await bench.accept();
      const waiting = bench.receive({ waitMs: 20_000 });
      for (let i = 0; i < steps; i++) await undefined;
      const task = early ?? (await bench.accept());
      await bench.sendIfExternal([task]);
      expect(deliveredIds(await waiting)).toEqual([task.id]);
    }
    expect(bench.now).toBe(beganMs);
  });

  says('of several that wait each is given what the others are not', async (bench) => {
    const waiting = Array.from({ length: 3 }, () => bench.receive({ waitMs: 20_000, tasks: 1 }));
    await bench.clock.settle();
    const tasks = await manySent(bench, 3);
    const given = (await Promise.all(waiting)).flatMap(deliveredIds);
    expect(given.toSorted()).toEqual(tasks.map((task) => task.id).toSorted());
  });

  says('a wait ends with nothing when its time is over', async (bench) => {
    let ended = false;
    const waiting = bench.receive({ waitMs: 20_000 }).then((deliveries) => {
      ended = true;
      return deliveries;
    });
    await bench.clock.advance(19_999);
    expect(ended).toBe(false);
    await bench.clock.advance(1);
    expect(await waiting).toEqual([]);
  });

  says('a wait ends with nothing when it is called off, and takes nothing later', async (bench) => {
    const calledOff = new AbortController();
    const waiting = bench.receive({ waitMs: 20_000, signal: calledOff.signal });
    await bench.clock.settle();
    calledOff.abort();
    expect(await waiting).toEqual([]);
    const task = await bench.acceptSent();
    expect(await bench.receive({ waitMs: 20_000, signal: calledOff.signal })).toEqual([]);
    // Where a poll outlasts the wait that began it, the bell may still be on its way to this process.
    expect(deliveredIds(await bench.receive({ waitMs: 20_000 }))).toEqual([task.id]);
  });

  says('a wait ends when a hidden bell’s time comes', async (bench) => {
    const task = await bench.acceptSent();
    const delivery = await bench.receiveOne();
    await bench.broker.changeVisibility([{ receiptHandle: delivery.receiptHandle, ms: 7_000 }]);
    const waiting = bench.receive({ waitMs: 20_000 });
    await bench.clock.advance(7_000);
    expect(deliveredIds(await waiting)).toEqual([task.id]);
  });

  says('a wait that has no room leaves the bells to others', async (bench) => {
    const full = bench.receive({ waitMs: 20_000, tasks: 0 });
    await bench.clock.settle();
    const task = await bench.acceptSent();
    await bench.clock.settle();
    expect(deliveredIds(await bench.receive())).toEqual([task.id]);
    await bench.clock.advance(20_000);
    expect(await full).toEqual([]);
  });

  says('room is asked for at the moment of the answer', async (bench) => {
    let tasks = 0;
    const room = () => ({ tasks, bytes: 1_000_000 });
    const waiting = bench.receive({ waitMs: 20_000, room });
    await bench.clock.settle();
    tasks = 2;
    const accepted = await manySent(bench, 3);
    const first = deliveredIds(await waiting);
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThanOrEqual(2);
    const rest = deliveredIds(await bench.receive());
    expect([...first, ...rest].toSorted()).toEqual(accepted.map((task) => task.id).toSorted());
  });

  says('a backlog is heard to its end, each bell once', async (bench) => {
    const tasks = await manySent(bench, 350);
    const given = new Set<string>();
    for (let i = 0; i < 350 && given.size < tasks.length; i++) {
      for (const id of deliveredIds(await bench.receive({ tasks: 64 }))) {
        expect(given.has(id)).toBe(false);
        given.add(id);
      }
    }
    expect(given.size).toBe(tasks.length);
  });
};
