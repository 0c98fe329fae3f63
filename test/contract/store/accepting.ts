import { expect } from 'vitest';
import { ids } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

export const accepting: Subject = (says) => {
  says('a fresh submission is stored whole: what was accepted, its head, no events yet', async (bench) => {
    const asked = {
      key: 'ключ/🔑',
      orderingKey: 'ann',
      typeVersion: 3,
      options: {
        priority: 'high',
        tags: ['eu', 'big'],
        deadlineAtMs: bench.now + 60_000,
        retry: { maxAttempts: 7 },
        parentId: 'parent',
        whenDead: 'retry',
      },
    } as const;
    const acceptance = bench.acceptance(asked);
    const [accepted] = await bench.store.accept([acceptance]);
    if (accepted?.kind !== 'fresh') expect.fail('not fresh');
    const { snapshot } = accepted;
    expect(snapshot.submission).toEqual(acceptance.submission);
    expect(snapshot.head).toEqual(acceptance.head);
    expect(snapshot.tip).toEqual([]);
    expect(await bench.store.read([snapshot.id], bench.now)).toEqual([snapshot]);
    expect(await bench.store.byKey(acceptance.submission.scope, bench.now)).toEqual(snapshot);
  });

  says('the same key again answers with who has it and writes nothing', async (bench) => {
    const first = await bench.accept({ key: 'k' });
    const running = await bench.claim(first);
    const [again] = await bench.store.accept([bench.acceptance({ key: 'k' })]);
    expect(again).toEqual({ kind: 'existing', snapshot: running });
    expect(await bench.read(first)).toEqual(running);
  });

  says('a key is unique in a tenant’s queue, not beyond it, and parts cannot be shifted', async (bench) => {
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
    const tasks = await bench.acceptMany(scopes.length, (i) => scopes[i] ?? {});
    expect(new Set(ids(tasks)).size).toBe(scopes.length);
    for (const [i, scope] of scopes.entries()) {
      const found = await bench.store.byKey(scope, bench.now);
      expect(found?.id).toBe(tasks[i]?.id);
      expect(found?.submission.scope).toEqual(scope);
    }
    expect(await bench.store.byKey({ tenant: 'a/b', queue: 'c', key: 'd' }, bench.now)).toBeUndefined();
  });

  says('within a batch the first of a key stands and later ones are judged against it', async (bench) => {
    const before = await bench.accept({ key: 'old' });
    const batch = ['new', 'old', 'new', 'other'].map((key) => bench.acceptance({ key }));
    const accepted = await bench.store.accept(batch);
    expect(accepted.map((one) => one.kind)).toEqual(['fresh', 'existing', 'existing', 'fresh']);
    const found = accepted.map((one) => (one.kind === 'failed' ? undefined : one.snapshot.id));
    expect(found[1]).toBe(before.id);
    expect(found[2]).toBe(found[0]);
  });

  says('one bad item fails alone, in its place', async (bench) => {
    const batch = ['a', '', 'b'].map((key) => bench.acceptance({ key }));
    const accepted = await bench.store.accept(batch);
    expect(accepted.map((one) => one.kind)).toEqual(['fresh', 'failed', 'fresh']);
  });

  says('of callers that race for one key exactly one is fresh and all learn of it', async (bench) => {
    const calls = Array.from({ length: 8 }, () => bench.store.accept([bench.acceptance({ key: 'k' })]));
    const answers = (await Promise.all(calls)).flat();
    expect(answers.filter((one) => one.kind === 'fresh')).toHaveLength(1);
    const seen = new Set(answers.map((one) => (one.kind === 'failed' ? 'failed' : one.snapshot.id)));
    expect(seen.size).toBe(1);
  });

  says('an empty batch is answered with nothing', async (bench) => {
    expect(await bench.store.accept([])).toEqual([]);
    expect(await bench.store.append([])).toEqual([]);
    expect(await bench.store.read([], bench.now)).toEqual([]);
  });

  says('reads answer in the order of the ids, undefined for what no engine ever minted', async (bench) => {
    const [a, b] = await bench.acceptMany(2);
    const asked = [b?.id ?? '', 'nobody', '', '~', a?.id ?? '', '1.1', `${a?.id}x`, b?.id ?? ''];
    const read = await bench.store.read(asked, bench.now);
    const absent = undefined;
    expect(ids(read)).toEqual([b?.id, absent, absent, absent, a?.id, absent, absent, b?.id]);
  });

  says('what was accepted outlives the process that accepted it', async (bench) => {
    const task = await bench.accept({ key: 'k', orderingKey: 'ann' });
    const running = await bench.claim(task);
    await bench.reopen();
    expect(await bench.read(task)).toEqual(running);
    const [again] = await bench.store.accept([bench.acceptance({ key: 'k' })]);
    expect(again?.kind).toBe('existing');
  });
};
