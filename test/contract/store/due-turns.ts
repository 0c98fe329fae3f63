import { expect } from 'vitest';
import { queueKey } from '../../../src/core/queue-ref.ts';
import { silentLog } from '../../../src/ports/log.ts';
import type { DueEntry, Snapshot, TaskStore } from '../../../src/ports/task-store.ts';
import { Sweeper } from '../../../src/runtime/sweep.ts';
import { createService } from '../../../src/service/create-service.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const many = 400;
/** A node acts on 100 tasks at first. So many tasks of other queues may be handled before a task of a small queue. */
const mostBefore = 250;

/** Sweeps until nothing is due. Returns the ids of the tasks in the order in which the sweep changed them. */
async function sweptIds(fixture: StoreFixture): Promise<string[]> {
  const { engine, clock } = fixture;
  const swept: string[] = [];
  const append: TaskStore['append'] = (changes) => {
    swept.push(...changes.map(({ id }) => id));
    return engine.store.append(changes);
  };
  const store = new Proxy(engine.store, {
    get: (target, name) => {
      const method: unknown = name === 'append' ? append : Reflect.get(target, name);
      return typeof method === 'function' ? method.bind(target) : method;
    },
  });
  const service = { ...engine, store, node: 'n', clock, log: silentLog, createQueues: true };
  const { context, settled } = await createService(service);
  const sweeper = new Sweeper(context);
  while (await sweeper.round(new AbortController().signal)) await settled();
  await settled();
  return swept;
}

async function allEntries(fixture: StoreFixture): Promise<DueEntry[]> {
  const entries: DueEntry[] = [];
  for (let shard = 0; shard < fixture.store.dueShards; shard++)
    entries.push(...(await fixture.store.due(shard, fixture.now, 100)).entries);
  return entries;
}

/** Accepts tasks of one queue that wait for a time of each kind, at most 6 s ahead. */
async function ofEachKind(fixture: StoreFixture): Promise<Snapshot[]> {
  const request = { queue: 'small' };
  const claimed = async () => fixture.claim(await fixture.accept(request));
  return [
    await fixture.accept({ ...request, options: { delayMs: 6_000 } }),
    await fixture.accept({ ...request, options: { delayMs: 60_000, deadlineAtMs: fixture.now + 6_000 } }),
    await fixture.accept({ ...request, options: { lifetimeMs: 6_000 } }),
    await fixture.fail(await claimed(), 6_000),
    await fixture.snooze(await claimed(), 6_000),
    await fixture.succeed(await fixture.claim(await fixture.accept({ ...request, orderingKey: 'ann' }))),
  ];
}

export const dueTurns: Subject = (requires) => {
  requires('a due entry tells the queues of a store and their tenants apart', async (fixture) => {
    const places = [
      { tenant: 'acme', queue: 'mail' },
      { tenant: 'acme', queue: 'images' },
      { tenant: 'globex', queue: 'mail' },
    ];
    const keyOf = new Map<string, string>();
    for (let i = 0; i < 12; i++) {
      const place = places[i % places.length] as (typeof places)[number];
      const task = await fixture.accept({ ...place, key: `k-${i}`, options: { delayMs: 1_000 } });
      keyOf.set(task.id, queueKey(place));
    }
    await fixture.clock.advance(1_000);
    const entries = await allEntries(fixture);
    expect(entries).toHaveLength(12);
    const tagsOf = (key: string) =>
      new Set(
        entries
          .filter(({ id }) => keyOf.get(id) === key)
          .map(({ tenantTag, queueTag }) => `${tenantTag}/${queueTag}`),
      );
    const tags = places.map((place) => [...tagsOf(queueKey(place))]);
    expect(tags.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(new Set(tags.flat()).size).toBe(3);
    expect(new Set(entries.map(({ tenantTag }) => tenantTag)).size).toBe(2);
  });

  requires(
    'due tasks of every kind are acted on before most of the many of another queue that are due earlier',
    async (fixture) => {
      const flood = await fixture.acceptMany(many, (i) => ({
        queue: 'large',
        options: { delayMs: 5_000 + (i % 900) },
      }));
      const small = await ofEachKind(fixture);
      await fixture.clock.advance(10_000);
      const swept = await sweptIds(fixture);
      expect(new Set(swept)).toEqual(new Set([...flood, ...small].map(({ id }) => id)));
      for (const { id } of small) expect(swept.indexOf(id)).toBeLessThan(mostBefore);
    },
  );

  requires('the due tasks of a queue with many are acted on about oldest first', async (fixture) => {
    const flood = await fixture.acceptMany(many, (i) => ({ options: { delayMs: 1_000 + 10 * i } }));
    await fixture.clock.advance(10_000);
    const swept = await sweptIds(fixture);
    const places = flood.map(({ id }) => swept.indexOf(id));
    expect(places.toSorted((a, b) => a - b)).toEqual(Array.from({ length: many }, (_, i) => i));
    const { dueShards } = fixture.store;
    if (dueShards === 1)
      for (const [i, place] of places.entries()) expect(Math.abs(place - i)).toBeLessThan(100);
  });

  requires(
    'a transactional broker lists the expired leases of all queues in turn, so that many of one queue hide none of another',
    async (fixture) => {
      if (fixture.broker.expiredLeases === undefined) return;
      for (let i = 0; i < 30; i++) await fixture.claim(await fixture.acceptAndSend({ queue: 'large' }));
      await fixture.clock.advance(1_000);
      const last = await fixture.claim(await fixture.acceptAndSend({ queue: 'small' }));
      await fixture.clock.advance(60_000);
      const listed = await fixture.broker.expiredLeases(fixture.now, 1_500, 10);
      expect(listed).toHaveLength(10);
      expect(listed.map(({ message }) => message.id)).toContain(last.id);
    },
  );
};
