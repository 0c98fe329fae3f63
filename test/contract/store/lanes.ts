import { expect } from 'vitest';
import type { Subject } from '../subject.ts';

export const lanes: Subject = (requires) => {
  requires(
    'the lane numbers of tasks rise in the order of their commits, over calls and within a batch',
    async (fixture) => {
      const first = await fixture.accept({ orderingKey: 'ann' });
      const more = await fixture.acceptMany(5, () => ({ orderingKey: 'ann' }));
      const seqs = [first, ...more].map((task) => task.laneSeq ?? Number.NaN);
      expect(seqs.every(Number.isSafeInteger)).toBe(true);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect(await fixture.store.lowest(fixture.lane('ann'))).toEqual({ id: first.id, seq: first.laneSeq });
    },
  );

  requires('a task without an ordering key is in no lane', async (fixture) => {
    const task = await fixture.accept();
    expect(task.laneSeq).toBeUndefined();
    await fixture.store.leaveLane(fixture.lane('ann'), task.id);
    expect(await fixture.store.lowest(fixture.lane('ann'))).toBeUndefined();
  });

  requires('tasks share a lane only if ordering key, queue and tenant are the same', async (fixture) => {
    const request = [
      { orderingKey: 'ann' },
      { orderingKey: 'Ann' },
      { orderingKey: 'ann', queue: 'other' },
      { orderingKey: 'ann', tenant: 'other' },
    ];
    for (const one of request) {
      const task = await fixture.accept(one);
      const { tenant, queue } = task.submission.scope;
      const lowest = await fixture.store.lowest({ tenant, queue, orderingKey: one.orderingKey });
      expect(lowest?.id).toBe(task.id);
    }
  });

  requires('an ended task stays the first of its lane until it leaves the lane', async (fixture) => {
    const first = await fixture.accept({ orderingKey: 'ann' });
    const second = await fixture.accept({ orderingKey: 'ann' });
    const done = await fixture.succeed(await fixture.claim(first));
    expect(done.head.handOver).toBe(true);
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(first.id);
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(second.id);
  });

  requires(
    'a place is the first of its lane once every earlier place was left, also if later tasks have joined or left before',
    async (fixture) => {
      const tasks = await fixture.acceptMany(4, () => ({ orderingKey: 'ann' }));
      const lane = fixture.lane('ann');
      const areFirst = () => Promise.all(tasks.map((task) => fixture.store.isFirst(lane, task.laneSeq ?? 0)));
      const leave = (i: number) => fixture.store.leaveLane(lane, tasks[i]?.id ?? '', tasks[i]?.laneSeq);
      expect(await areFirst()).toEqual([true, false, false, false]);
      await leave(2);
      expect((await areFirst())[3]).toBe(false);
      await leave(0);
      expect((await areFirst()).slice(1, 2)).toEqual([true]);
      expect((await areFirst())[3]).toBe(false);
      await leave(1);
      expect((await areFirst())[3]).toBe(true);
      await fixture.accept({ orderingKey: 'ann' });
      expect((await areFirst())[3]).toBe(true);
    },
  );

  requires('leaving a lane is idempotent and removes no other task', async (fixture) => {
    const [first, second] = await fixture.acceptMany(2, () => ({ orderingKey: 'ann' }));
    if (!first || !second) expect.fail();
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    await fixture.store.leaveLane(fixture.lane('bob'), second.id);
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(second.id);
    await fixture.store.leaveLane(fixture.lane('ann'), second.id);
    expect(await fixture.store.lowest(fixture.lane('ann'))).toBeUndefined();
  });

  requires(
    'a task that enters an emptied lane gets a higher lane number than all earlier tasks of the lane',
    async (fixture) => {
      const first = await fixture.accept({ orderingKey: 'ann' });
      await fixture.store.leaveLane(fixture.lane('ann'), first.id);
      const second = await fixture.accept({ orderingKey: 'ann' });
      expect(second.laneSeq).toBeGreaterThan(first.laneSeq ?? Number.NaN);
    },
  );

  requires('a duplicate submission takes no place in a lane', async (fixture) => {
    const first = await fixture.accept({ key: 'k', orderingKey: 'ann' });
    const batch = [
      fixture.acceptance({ key: 'k', orderingKey: 'ann' }),
      fixture.acceptance({ orderingKey: 'ann' }),
    ];
    const accepted = await fixture.store.accept(batch);
    expect(accepted.map((one) => one.kind)).toEqual(['existing', 'fresh']);
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    const second = accepted[1]?.kind === 'fresh' ? accepted[1].snapshot.id : '';
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(second);
  });

  requires(
    'a redrive of a dead task that has left its lane puts the task at the lane’s tail, in the same write',
    async (fixture) => {
      const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
      const second = await fixture.accept({ orderingKey: 'ann' });
      await fixture.store.leaveLane(fixture.lane('ann'), first.id);
      const handedOver = await fixture.finishHandOver(first);
      const redriven = await fixture.redrive(handedOver, true);
      expect(redriven.laneSeq).toBeGreaterThan(second.laneSeq ?? Number.NaN);
      expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(second.id);
      await fixture.store.leaveLane(fixture.lane('ann'), second.id);
      expect(await fixture.store.lowest(fixture.lane('ann'))).toEqual({
        id: first.id,
        seq: redriven.laneSeq,
      });
    },
  );

  requires('a redrive that conflicts takes no place in a lane', async (fixture) => {
    const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
    await fixture.store.leaveLane(fixture.lane('ann'), first.id);
    const handedOver = await fixture.finishHandOver(first);
    const late = fixture.transition(handedOver, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
    expect((await fixture.append({ ...late, expect: { revision: 1 } })).kind).toBe('conflict');
    expect(await fixture.store.lowest(fixture.lane('ann'))).toBeUndefined();
  });

  requires(
    'a late removal of a task’s old place in its lane does not remove the new place that a redrive gave the task',
    async (fixture) => {
      const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
      await fixture.store.leaveLane(fixture.lane('ann'), first.id, first.laneSeq);
      const redriven = await fixture.redrive(await fixture.finishHandOver(first), true);
      await fixture.store.leaveLane(fixture.lane('ann'), first.id, first.laneSeq);
      expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(first.id);
      await fixture.store.leaveLane(fixture.lane('ann'), first.id, redriven.laneSeq);
      expect(await fixture.store.lowest(fixture.lane('ann'))).toBeUndefined();
    },
  );

  requires('the outcome of a change of a task in a lane contains the task’s lane number', async (fixture) => {
    const task = await fixture.accept({ orderingKey: 'ann' });
    const outcome = await fixture.append(fixture.transition(task, fixture.claimCommand()));
    expect(outcome).toMatchObject({ kind: 'done', laneSeq: task.laneSeq });
  });

  requires('a lane is the same in the next process that opens the store', async (fixture) => {
    const [first, second] = await fixture.acceptMany(2, () => ({ orderingKey: 'ann' }));
    await fixture.reopen();
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(first?.id);
    await fixture.store.leaveLane(fixture.lane('ann'), first?.id ?? '');
    const third = await fixture.accept({ orderingKey: 'ann' });
    expect(third.laneSeq).toBeGreaterThan(second?.laneSeq ?? Number.NaN);
  });
};
