import { expect } from 'vitest';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { type Bench, ids, queue } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const brief = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 7_200_000 };
const briefMs = 7_260_000;

async function purgeAll(bench: Bench): Promise<number> {
  let purged = 0;
  for (let n = await bench.store.purge(bench.now, 2); n > 0; n = await bench.store.purge(bench.now, 2)) {
    purged += n;
  }
  return purged;
}

/** Everything a reader may ask about a task. */
async function sightings(bench: Bench, task: Snapshot): Promise<unknown[]> {
  const [read] = await bench.store.read([task.id], bench.now);
  const listed = (await bench.listAll()).items.filter((item) => item.id === task.id);
  const dead = (await bench.listAll({ state: 'succeeded' })).items.filter((item) => item.id === task.id);
  const found = [
    read,
    await bench.store.byKey(task.submission.scope, bench.now),
    await bench.store.result(task.id),
    ...(await bench.store.history(task.id, 0)),
    ...listed,
    ...dead,
  ];
  return found.filter((one) => one !== undefined);
}

export const expiring: Subject = (says) => {
  says('to every reader a task exists until its time and not after it, purged or not', async (bench) => {
    const task = await bench.succeed(
      await bench.claim(await bench.accept({ options: brief })),
      new Uint8Array(3),
    );
    expect(task.submission.expiresAtMs).toBe(bench.now + briefMs);
    await bench.clock.advance(briefMs - 1);
    expect(await sightings(bench, task)).toHaveLength(8);
    await bench.clock.advance(1);
    expect(await sightings(bench, task)).toEqual([]);
    await purgeAll(bench);
    expect(await sightings(bench, task)).toEqual([]);
  });

  says('a task without retention is still there when its lifetime ends, and can end', async (bench) => {
    const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 0 };
    const task = await bench.accept({ options, orderingKey: 'ann' });
    await bench.clock.advance(60_000);
    await purgeAll(bench);
    expect(await bench.dueIds()).toEqual([task.id]);
    const dead = await bench.done(bench.transition(await bench.read(task), { kind: 'lapse' }));
    expect(dead.head).toMatchObject({ state: 'dead', deadReason: 'lifetime', handOver: true });
    expect(await bench.dueIds()).toEqual([task.id]);
    await bench.clock.advance(3_600_000 - 1);
    expect(await sightings(bench, task)).not.toEqual([]);
    await bench.clock.advance(1);
    expect(await sightings(bench, task)).toEqual([]);
  });

  says('the counts leave expired tasks out', async (bench) => {
    await bench.die(await bench.accept({ options: brief }));
    await bench.accept();
    await bench.clock.advance(briefMs);
    await purgeAll(bench);
    expect(await bench.store.counts(queue, bench.now)).toEqual({
      scheduled: 0,
      ready: 1,
      running: 0,
      dead: 0,
    });
  });

  says(
    'an expired task that was not purged gives its key to the next, whatever it was doing',
    async (bench) => {
      const first = await bench.claim(await bench.accept({ key: 'k', options: brief }));
      await bench.clock.advance(briefMs - 1);
      const [existing] = await bench.store.accept([bench.acceptance({ key: 'k' })]);
      expect(existing).toEqual({ kind: 'existing', snapshot: first });
      await bench.clock.advance(1);
      const second = await bench.accept({ key: 'k' });
      expect(second.id).not.toBe(first.id);
      await purgeAll(bench);
      expect(ids([await bench.store.byKey(second.submission.scope, bench.now)])).toEqual([second.id]);
    },
  );

  says('purge frees what is expired, a part at a time, and touches nothing else', async (bench) => {
    const lasting = await bench.accept({ key: 'lasting', orderingKey: 'ann' });
    await bench.acceptMany(5, () => ({ options: brief }));
    await bench.clock.advance(briefMs - 1);
    expect(await purgeAll(bench)).toBe(0);
    await bench.clock.advance(1);
    const purged = await purgeAll(bench);
    expect([0, 5]).toContain(purged);
    expect(await bench.read(lasting)).toEqual(lasting);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(lasting.id);
  });

  says('a purged key is free, and a successor of what was purged is accepted', async (bench) => {
    const first = await bench.cancel(await bench.accept({ key: 'a', options: brief }));
    const other = await bench.cancel(await bench.accept({ key: 'b', options: brief }));
    await bench.clock.advance(briefMs);
    await purgeAll(bench);
    const kinds = await bench.store.accept([bench.acceptance({ key: 'a' }), bench.acceptance({ key: 'b' })]);
    expect(kinds.map((one) => one.kind)).toEqual(['fresh', 'fresh']);
    const again = kinds.map((one) => (one.kind === 'fresh' ? one.snapshot.id : ''));
    expect(again).not.toContain(first.id);
    expect(again).not.toContain(other.id);
  });

  says('purging frees a lane that an expired task held', async (bench) => {
    bench.onDead = 'hold';
    const holder = await bench.die(await bench.accept({ orderingKey: 'ann', options: brief }));
    const next = await bench.accept({ orderingKey: 'ann' });
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(holder.id);
    await bench.clock.advance(briefMs);
    await purgeAll(bench);
    expect((await bench.store.lowest(bench.lane('ann')))?.id).toBe(next.id);
    await bench.sendIfExternal([next]);
    expect((await bench.receive()).map((delivery) => delivery.message.id)).toEqual([next.id]);
  });

  says('an expired task is due no more once it was purged', async (bench) => {
    const task = await bench.accept({ options: { ...brief, deadlineAtMs: bench.now + 1_000 } });
    await bench.clock.advance(briefMs);
    await purgeAll(bench);
    expect(await bench.dueIds()).not.toContain(task.id);
  });
};
