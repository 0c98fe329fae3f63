import { expect } from 'vitest';
import { ids } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

export const accepting: Subject = (requires) => {
  requires(
    'a new task is stored with all fields of its submission and its head, and with no event after its submission',
    async (fixture) => {
      const request = {
        key: 'ключ/🔑',
        orderingKey: 'ann',
        typeVersion: 3,
        options: {
          priority: 'high',
          tags: ['eu', 'big'],
          deadlineAtMs: fixture.now + 60_000,
          retry: { maxAttempts: 7 },
          parentId: 'parent',
          whenDead: 'redrive',
        },
      } as const;
      const acceptance = fixture.acceptance(request);
      const [accepted] = await fixture.store.accept([acceptance]);
      if (accepted?.kind !== 'fresh') expect.fail('not fresh');
      const { snapshot } = accepted;
      expect(snapshot.submission).toEqual(acceptance.submission);
      expect(snapshot.head).toEqual(acceptance.head);
      expect(snapshot.tip).toEqual([]);
      expect(await fixture.store.read([snapshot.id], fixture.now)).toEqual([snapshot]);
      expect(await fixture.store.byKey(acceptance.submission.scope, fixture.now)).toEqual(snapshot);
    },
  );

  requires(
    'a submission whose idempotency key is taken returns the existing task and writes nothing',
    async (fixture) => {
      const first = await fixture.accept({ key: 'k' });
      const running = await fixture.claim(first);
      const [again] = await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
      expect(again).toEqual({ kind: 'existing', snapshot: running });
      expect(await fixture.read(first)).toEqual(running);
    },
  );

  requires(
    'an idempotency key is unique within a tenant’s queue, and tenant, queue and key are never confused',
    async (fixture) => {
      const scopes = [
        { tenant: 'a', queue: 'b', key: 'c' },
        { tenant: 'a', queue: 'x', key: 'c' },
        { tenant: 'x', queue: 'b', key: 'c' },
        { tenant: 'a', queue: 'b', key: 'c/d' },
        { tenant: 'a', queue: 'b', key: 'C' },
        { tenant: 'a', queue: 'b', key: 'c ' },
        { tenant: 'a', queue: 'b', key: 'c\0' },
        { tenant: 'a', queue: 'b', key: 'c\0d' },
        { tenant: 'ab', queue: 'c', key: 'd' },
        { tenant: 'a', queue: 'bc', key: 'd' },
      ];
      const tasks = await fixture.acceptMany(scopes.length, (i) => scopes[i] ?? {});
      expect(new Set(ids(tasks)).size).toBe(scopes.length);
      for (const [i, scope] of scopes.entries()) {
        const found = await fixture.store.byKey(scope, fixture.now);
        expect(found?.id).toBe(tasks[i]?.id);
        expect(found?.submission.scope).toEqual(scope);
      }
      expect(await fixture.store.byKey({ tenant: 'a/b', queue: 'c', key: 'd' }, fixture.now)).toBeUndefined();
    },
  );

  requires(
    'the first submission of an idempotency key in a batch is accepted, and later ones return the same task',
    async (fixture) => {
      const before = await fixture.accept({ key: 'old' });
      const batch = ['new', 'old', 'new', 'other'].map((key) => fixture.acceptance({ key }));
      const accepted = await fixture.store.accept(batch);
      expect(accepted.map((one) => one.kind)).toEqual(['fresh', 'existing', 'existing', 'fresh']);
      const found = accepted.map((one) => (one.kind === 'failed' ? undefined : one.snapshot.id));
      expect(found[1]).toBe(before.id);
      expect(found[2]).toBe(found[0]);
    },
  );

  requires('one invalid submission of a batch fails alone', async (fixture) => {
    const batch = ['a', '', 'b'].map((key) => fixture.acceptance({ key }));
    const accepted = await fixture.store.accept(batch);
    expect(accepted.map((one) => one.kind)).toEqual(['fresh', 'failed', 'fresh']);
  });

  requires(
    'exactly one of several concurrent submissions of an idempotency key is accepted, and all return the same task',
    async (fixture) => {
      const calls = Array.from({ length: 8 }, () => fixture.store.accept([fixture.acceptance({ key: 'k' })]));
      const outcomes = (await Promise.all(calls)).flat();
      expect(outcomes.filter((one) => one.kind === 'fresh')).toHaveLength(1);
      const seen = new Set(outcomes.map((one) => (one.kind === 'failed' ? 'failed' : one.snapshot.id)));
      expect(seen.size).toBe(1);
    },
  );

  requires('a call of the store with an empty batch returns an empty result', async (fixture) => {
    expect(await fixture.store.accept([])).toEqual([]);
    expect(await fixture.store.append([])).toEqual([]);
    expect(await fixture.store.read([], fixture.now)).toEqual([]);
  });

  requires(
    'a read of the store returns tasks in the order of the ids, and undefined for ids that no engine made',
    async (fixture) => {
      const [a, b] = await fixture.acceptMany(2);
      const requestedIds = [b?.id ?? '', 'nobody', '', '~', a?.id ?? '', '1.1', `${a?.id}x`, b?.id ?? ''];
      const read = await fixture.store.read(requestedIds, fixture.now);
      const absent = undefined;
      expect(ids(read)).toEqual([b?.id, absent, absent, absent, a?.id, absent, absent, b?.id]);
    },
  );

  requires('an accepted task is found by the next process that opens the store', async (fixture) => {
    const task = await fixture.accept({ key: 'k', orderingKey: 'ann' });
    const running = await fixture.claim(task);
    await fixture.reopen();
    expect(await fixture.read(task)).toEqual(running);
    const [again] = await fixture.store.accept([fixture.acceptance({ key: 'k' })]);
    expect(again?.kind).toBe('existing');
  });
};
