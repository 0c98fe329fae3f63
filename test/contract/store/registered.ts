import { expect } from 'vitest';
import type { Subject } from '../subject.ts';

export const registered: Subject = (says) => {
  says('what nobody put is absent', async ({ engine }) => {
    expect(await engine.registry.get('queue', 'a')).toBeUndefined();
    expect(await engine.registry.list('queue', '')).toEqual([]);
  });

  says('a value is put where it was absent, and found as it was put', async ({ engine }) => {
    const value = { paused: true, list: [1, 'é', null, { deep: false }], '': 0 };
    expect(await engine.registry.put('queue', 'a', value, 'absent')).toBe(true);
    const found = await engine.registry.get('queue', 'a');
    expect(found).toMatchObject({ key: 'a', value });
    for (const plain of [7, 'text', null, false, []]) {
      await engine.registry.put('plain', JSON.stringify(plain), plain, 'absent');
      expect((await engine.registry.get('plain', JSON.stringify(plain)))?.value).toEqual(plain);
    }
  });

  says('a put on another revision is refused and changes nothing', async ({ engine: { registry } }) => {
    await registry.put('queue', 'a', 1, 'absent');
    const first = await registry.get('queue', 'a');
    expect(await registry.put('queue', 'a', 2, 'absent')).toBe(false);
    expect(await registry.put('queue', 'a', 2, (first?.rev ?? 0) + 1)).toBe(false);
    expect(await registry.put('queue', 'b', 2, 1)).toBe(false);
    expect(await registry.get('queue', 'a')).toEqual(first);
    expect(await registry.get('queue', 'b')).toBeUndefined();
  });

  says('the revision rises with every put', async ({ engine: { registry } }) => {
    await registry.put('queue', 'a', 1, 'absent');
    const first = await registry.get('queue', 'a');
    expect(await registry.put('queue', 'a', 1, first?.rev ?? 0)).toBe(true);
    const second = await registry.get('queue', 'a');
    expect(second?.rev).toBeGreaterThan(first?.rev ?? Number.NaN);
    expect(await registry.put('queue', 'a', 3, first?.rev ?? 0)).toBe(false);
  });

  says('of callers that race for one revision exactly one wins', async ({ engine: { registry } }) => {
    const puts = Array.from({ length: 5 }, (_, i) => registry.put('lease', 'shard/0', i, 'absent'));
    expect((await Promise.all(puts)).filter((won) => won)).toHaveLength(1);
  });

  says('a list is by key, of one kind, of keys with the prefix taken literally', async ({ engine }) => {
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
  });

  says('what is registered outlives the process', async (bench) => {
    await bench.engine.registry.put('queue', 'a', { paused: true }, 'absent');
    const before = await bench.engine.registry.get('queue', 'a');
    await bench.reopen();
    expect(await bench.engine.registry.get('queue', 'a')).toEqual(before);
  });
};
