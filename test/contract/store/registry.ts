import { expect } from 'vitest';
import type { Subject } from '../subject.ts';

export const registryEntries: Subject = (requires) => {
  requires('a registry entry that was never put is absent', async ({ engine }) => {
    expect(await engine.registry.get('queue', 'a')).toBeUndefined();
    expect(await engine.registry.list('queue', '')).toEqual([]);
  });

  requires('an absent registry entry may be put, and its value is returned unchanged', async ({ engine }) => {
    const value = { paused: true, list: [1, 'é', null, { deep: false }], '': 0 };
    expect(await engine.registry.put('queue', 'a', value, 'absent')).toBe(true);
    const found = await engine.registry.get('queue', 'a');
    expect(found).toMatchObject({ key: 'a', value });
    for (const plain of [7, 'text', null, false, []]) {
      await engine.registry.put('plain', JSON.stringify(plain), plain, 'absent');
      expect((await engine.registry.get('plain', JSON.stringify(plain)))?.value).toEqual(plain);
    }
  });

  requires(
    'a registry put that expects another revision of the entry is refused and changes nothing',
    async ({ engine: { registry } }) => {
      await registry.put('queue', 'a', 1, 'absent');
      const first = await registry.get('queue', 'a');
      expect(await registry.put('queue', 'a', 2, 'absent')).toBe(false);
      expect(await registry.put('queue', 'a', 2, (first?.rev ?? 0) + 1)).toBe(false);
      expect(await registry.put('queue', 'b', 2, 1)).toBe(false);
      expect(await registry.get('queue', 'a')).toEqual(first);
      expect(await registry.get('queue', 'b')).toBeUndefined();
    },
  );

  requires('the revision of a registry entry rises with every put', async ({ engine: { registry } }) => {
    await registry.put('queue', 'a', 1, 'absent');
    const first = await registry.get('queue', 'a');
    expect(await registry.put('queue', 'a', 1, first?.rev ?? 0)).toBe(true);
    const second = await registry.get('queue', 'a');
    expect(second?.rev).toBeGreaterThan(first?.rev ?? Number.NaN);
    expect(await registry.put('queue', 'a', 3, first?.rev ?? 0)).toBe(false);
  });

  requires(
    'exactly one of several concurrent puts of an absent registry entry succeeds',
    async ({ engine: { registry } }) => {
      const puts = Array.from({ length: 5 }, (_, i) => registry.put('lease', 'shard/0', i, 'absent'));
      expect((await Promise.all(puts)).filter((won) => won)).toHaveLength(1);
    },
  );

  requires(
    'a registry list contains the entries of one kind and key prefix, ordered by key',
    async ({ engine }) => {
      const keys = ['b/2', 'b/1', 'a', 'b/10', 'b%', 'b_x', 'B/1', 'é'];
      for (const key of keys) await engine.registry.put('queue', key, key, 'absent');
      await engine.registry.put('worker', 'b/0', 0, 'absent');
      const list = async (prefix: string) =>
        (await engine.registry.list('queue', prefix)).map((one) => one.key);
      expect(await list('b/')).toEqual(['b/1', 'b/10', 'b/2']);
      expect(await list('b%')).toEqual(['b%']);
      expect(await list('b_')).toEqual(['b_x']);
      expect(await list('')).toEqual(['B/1', 'a', 'b%', 'b/1', 'b/10', 'b/2', 'b_x', 'é']);
      expect(await list('zz')).toEqual([]);
    },
  );

  requires('registry entries are the same in the next process that opens the store', async (fixture) => {
    await fixture.engine.registry.put('queue', 'a', { paused: true }, 'absent');
    const before = await fixture.engine.registry.get('queue', 'a');
    await fixture.reopen();
    expect(await fixture.engine.registry.get('queue', 'a')).toEqual(before);
  });
};
