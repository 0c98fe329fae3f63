import { expect } from 'vitest';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { ids, queue, type StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const brief = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 7_200_000 };
const briefMs = 7_260_000;

async function purgeAll(fixture: StoreFixture): Promise<number> {
  let purged = 0;
  for (
    let n = await fixture.store.purge(fixture.now, 2);
    n > 0;
    n = await fixture.store.purge(fixture.now, 2)
  ) {
    purged += n;
  }
  return purged;
}

/** Returns the results of all reads of the store that find a given task. */
async function allReads(fixture: StoreFixture, task: Snapshot): Promise<unknown[]> {
  const [read] = await fixture.store.read([task.id], fixture.now);
  const listed = (await fixture.listAll()).items.filter((item) => item.id === task.id);
  const dead = (await fixture.listAll({ state: 'succeeded' })).items.filter((item) => item.id === task.id);
  const found = [
    read,
    await fixture.store.byKey(task.submission.scope, fixture.now),
    await fixture.store.result(task.id),
    ...(await fixture.store.history(task.id, 0)),
    ...listed,
    ...dead,
  ];
  return found.filter((one) => one !== undefined);
}

export const expiring: Subject = (requires) => {
  requires(
    'every read of the store finds a task until the task expires and not afterwards, whether it was purged or not',
    async (fixture) => {
      const task = await fixture.succeed(
        await fixture.claim(await fixture.accept({ options: brief })),
        new Uint8Array(3),
      );
      expect(task.submission.expiresAtMs).toBe(fixture.now + briefMs);
      await fixture.clock.advance(briefMs - 1);
      expect(await allReads(fixture, task)).toHaveLength(8);
      await fixture.clock.advance(1);
      expect(await allReads(fixture, task)).toEqual([]);
      await purgeAll(fixture);
      expect(await allReads(fixture, task)).toEqual([]);
    },
  );

  requires(
    'a task without a retention time still exists when its lifetime ends, so that the store can record the task’s end',
    async (fixture) => {
      const options = { windowMs: 60_000, lifetimeMs: 60_000, retentionMs: 0 };
      const task = await fixture.accept({ options, orderingKey: 'ann' });
      await fixture.clock.advance(60_000);
      await purgeAll(fixture);
      expect(await fixture.dueIds()).toEqual([task.id]);
      const dead = await fixture.apply(fixture.transition(await fixture.read(task), { kind: 'lapse' }));
      expect(dead.head).toMatchObject({ state: 'dead', deadReason: 'lifetime', handOver: true });
      expect(await fixture.dueIds()).toEqual([task.id]);
      await fixture.clock.advance(3_600_000 - 1);
      expect(await allReads(fixture, task)).not.toEqual([]);
      await fixture.clock.advance(1);
      expect(await allReads(fixture, task)).toEqual([]);
    },
  );

  requires('the task counts of a queue leave expired tasks out once they were purged', async (fixture) => {
    await fixture.die(await fixture.accept({ options: brief }));
    await fixture.accept();
    await fixture.clock.advance(briefMs);
    await purgeAll(fixture);
    expect(await fixture.store.counts(queue, fixture.now)).toEqual({
      scheduled: 0,
      ready: 1,
      running: 0,
      dead: 0,
    });
  });

  requires(
    'an expired task that was not purged frees its idempotency key, even if it was running',
    async (fixture) => {
      const first = await fixture.claim(await fixture.accept({ key: 'k', options: brief }));
      await fixture.clock.advance(briefMs - 1);
      const [existing] = await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
      expect(existing).toEqual({ kind: 'existing', snapshot: first });
      await fixture.clock.advance(1);
      const second = await fixture.accept({ key: 'k' });
      expect(second.id).not.toBe(first.id);
      await purgeAll(fixture);
      expect(ids([await fixture.store.byKey(second.submission.scope, fixture.now)])).toEqual([second.id]);
    },
  );

  requires('a purge deletes only expired tasks, a limited number at a time', async (fixture) => {
    const lasting = await fixture.accept({ key: 'lasting', orderingKey: 'ann' });
    await fixture.acceptMany(5, () => ({ options: brief }));
    await fixture.clock.advance(briefMs - 1);
    expect(await purgeAll(fixture)).toBe(0);
    await fixture.clock.advance(1);
    const purged = await purgeAll(fixture);
    expect([0, 5]).toContain(purged);
    expect(await fixture.read(lasting)).toEqual(lasting);
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(lasting.id);
  });

  requires('the idempotency key of a purged task is free', async (fixture) => {
    const first = await fixture.cancel(await fixture.accept({ key: 'a', options: brief }));
    const other = await fixture.cancel(await fixture.accept({ key: 'b', options: brief }));
    await fixture.clock.advance(briefMs);
    await purgeAll(fixture);
    const kinds = await fixture.store.accept([
      fixture.acceptance({ key: 'a' }),
      fixture.acceptance({ key: 'b' }),
    ]);
    expect(kinds.map((one) => one.kind)).toEqual(['fresh', 'fresh']);
    const again = kinds.map((one) => (one.kind === 'fresh' ? one.snapshot.id : ''));
    expect(again).not.toContain(first.id);
    expect(again).not.toContain(other.id);
  });

  requires('purging an expired task frees the lane that it held', async (fixture) => {
    fixture.onDead = 'hold';
    const holder = await fixture.die(await fixture.accept({ orderingKey: 'ann', options: brief }));
    const next = await fixture.accept({ orderingKey: 'ann' });
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(holder.id);
    await fixture.clock.advance(briefMs);
    await purgeAll(fixture);
    expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(next.id);
    await fixture.sendIfExternal([next]);
    expect((await fixture.receive()).map((delivery) => delivery.message.id)).toEqual([next.id]);
  });

  requires('a purged task is no longer due', async (fixture) => {
    const task = await fixture.accept({ options: { ...brief, deadlineAtMs: fixture.now + 1_000 } });
    await fixture.clock.advance(briefMs);
    await purgeAll(fixture);
    expect(await fixture.dueIds()).not.toContain(task.id);
  });
};
