import { expect } from 'vitest';
import type { Subject } from '../subject.ts';

export const lanes: Subject = (says) => {
  says('places in a lane rise in the order of commits, over calls and within a batch', async (bench) => {
    const first = await bench.accept({ orderingKey: 'ann' });
    const more = await bench.acceptMany(5, () => ({ orderingKey: 'ann' }));
    const seqs = [first, ...more].map((task) => task.laneSeq ?? Number.NaN);
    expect(seqs.every(Number.isSafeInteger)).toBe(true);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(await bench.store.lowest(bench.lane('ann'))).toEqual({ id: first.id, seq: first.laneSeq });
  });

  says('a task without an ordering key has no place', async (bench) => {
    const task = await bench.accept();
    expect(task.laneSeq).toBeUndefined();
    await bench.store.leave(bench.lane('ann'), task.id);
    expect(await bench.store.lowest(bench.lane('ann'))).toBeUndefined();
  });

  says('lanes are apart by ordering key, queue and tenant', async (bench) => {
    const asked = [
      { orderingKey: 'ann' },
      { orderingKey: 'Ann' },
      { orderingKey: 'ann', queue: 'other' },
      { orderingKey: 'ann', tenant: 'other' },
    ];
    for (const one of asked) {
      const task = await bench.accept(one);
      const { tenant, queue } = task.submission.scope;
      const lowest = await bench.store.lowest({ tenant, queue, orderingKey: one.orderingKey });
      expect(lowest?.id).toBe(task.id);
    }
  });

  says('an ended task stays the lowest until it leaves; then the next one is', async (bench) => {
    const first = await bench.accept({ orderingKey: 'ann' });
    const second = await bench.accept({ orderingKey: 'ann' });
    const done = await bench.succeed(await bench.claim(first));
    expect(done.head.handOver).toBe(true);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(first.id);
    await bench.store.leave(bench.lane('ann'), first.id);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(second.id);
  });

  says('to leave twice is to leave once, and leaves everybody else', async (bench) => {
    const [first, second] = await bench.acceptMany(2, () => ({ orderingKey: 'ann' }));
    if (!first || !second) expect.fail();
    await bench.store.leave(bench.lane('ann'), first.id);
    await bench.store.leave(bench.lane('ann'), first.id);
    await bench.store.leave(bench.lane('bob'), second.id);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(second.id);
    await bench.store.leave(bench.lane('ann'), second.id);
    expect(await bench.store.lowest(bench.lane('ann'))).toBeUndefined();
  });

  says('a lane that was emptied gives later places than before', async (bench) => {
    const first = await bench.accept({ orderingKey: 'ann' });
    await bench.store.leave(bench.lane('ann'), first.id);
    const second = await bench.accept({ orderingKey: 'ann' });
    expect(second.laneSeq).toBeGreaterThan(first.laneSeq ?? Number.NaN);
  });

  says('a duplicate takes no place', async (bench) => {
    const first = await bench.accept({ key: 'k', orderingKey: 'ann' });
    const batch = [
      bench.acceptance({ key: 'k', orderingKey: 'ann' }),
      bench.acceptance({ orderingKey: 'ann' }),
    ];
    const accepted = await bench.store.accept(batch);
    expect(accepted.map((one) => one.kind)).toEqual(['existing', 'fresh']);
    await bench.store.leave(bench.lane('ann'), first.id);
    const second = accepted[1]?.kind === 'fresh' ? accepted[1].snapshot.id : '';
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(second);
  });

  says('a redrive from a released lane joins at the tail, in the write that redrives', async (bench) => {
    const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    const second = await bench.accept({ orderingKey: 'ann' });
    await bench.store.leave(bench.lane('ann'), first.id);
    const handed = await bench.handedOver(first);
    const redriven = await bench.redrive(handed, true);
    expect(redriven.laneSeq).toBeGreaterThan(second.laneSeq ?? Number.NaN);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(second.id);
    await bench.store.leave(bench.lane('ann'), second.id);
    expect(await bench.store.lowest(bench.lane('ann'))).toEqual({ id: first.id, seq: redriven.laneSeq });
  });

  says('a refused redrive takes no place', async (bench) => {
    const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    await bench.store.leave(bench.lane('ann'), first.id);
    const handed = await bench.handedOver(first);
    const late = bench.transition(handed, { kind: 'redrive', actor: 'op' }, { rejoinLane: true });
    expect((await bench.append({ ...late, expect: { revision: 1 } })).kind).toBe('refused');
    expect(await bench.store.lowest(bench.lane('ann'))).toBeUndefined();
  });

  says('a late hand-over does not take the place that a redrive gave since', async (bench) => {
    const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    await bench.store.leave(bench.lane('ann'), first.id, first.laneSeq);
    const redriven = await bench.redrive(await bench.handedOver(first), true);
    await bench.store.leave(bench.lane('ann'), first.id, first.laneSeq);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(first.id);
    await bench.store.leave(bench.lane('ann'), first.id, redriven.laneSeq);
    expect(await bench.store.lowest(bench.lane('ann'))).toBeUndefined();
  });

  says('the outcome of a change in a lane tells the place', async (bench) => {
    const task = await bench.accept({ orderingKey: 'ann' });
    const outcome = await bench.append(bench.transition(task, bench.claimOf()));
    expect(outcome).toMatchObject({ kind: 'done', laneSeq: task.laneSeq });
  });

  says('a lane outlives the process', async (bench) => {
    const [first, second] = await bench.acceptMany(2, () => ({ orderingKey: 'ann' }));
    await bench.reopen();
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(first?.id);
    await bench.store.leave(bench.lane('ann'), first?.id ?? '');
    const third = await bench.accept({ orderingKey: 'ann' });
    expect(third.laneSeq).toBeGreaterThan(second?.laneSeq ?? Number.NaN);
  });
};
