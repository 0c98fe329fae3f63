import { expect } from 'vitest';
import { idsOf, mail, ring, rings, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

export function batches(says: Says): void {
  says('bells rung in one turn share calls of ten', async (site) => {
    const bells = await site.open();
    const calls = [...rings(25).map((one) => bells.ring([one])), bells.ring(rings(10, { version: 2 }))];
    expect((await Promise.all(calls)).flat()).toEqual(Array(35).fill(true));
    const sizes = site.front.calls
      .filter((call) => call.action === 'SendMessageBatch')
      .map((call) => (call.body.Entries as unknown[]).length);
    expect(sizes.toSorted()).toEqual([10, 10, 10, 5]);
    expect(bells.meter.read().send).toEqual({ calls: 4, messages: 35, failed: 0 });
  });

  says('so do those that are hidden or silenced', async (site) => {
    const bells = await site.open();
    await bells.ring(rings(10));
    const heard = await bells.receive([mail], want());
    const [first, ...others] = heard.map((bell) => bell.handle);
    const hidden = await Promise.all(heard.map(({ handle }) => bells.hide([{ handle, ms: 1_500 }])));
    expect(hidden.flat()).toEqual(Array(10).fill(true));
    await Promise.all([bells.silence([first ?? '']), bells.silence(others)]);
    expect(site.front.count('ChangeMessageVisibilityBatch')).toBe(1);
    expect(site.front.count('DeleteMessageBatch')).toBe(1);
    await site.clock.advance(3_600_000);
    expect(await bells.receive([mail], want())).toEqual([]);
  });

  says('a queue’s address is looked up once', async (site) => {
    const bells = await site.open();
    await bells.ring([ring('a')]);
    await bells.ring([ring('b')]);
    await bells.receive([mail], want());
    expect(site.front.count('GetQueueUrl')).toBe(1);
  });

  says('a part of a second hides for the whole of it', async (site) => {
    const bells = await site.open();
    await bells.ring([ring('a')]);
    const [bell] = await bells.receive([mail], want());
    await bells.hide([{ handle: bell?.handle ?? '', ms: 1 }]);
    await site.clock.advance(999);
    expect(await bells.receive([mail], want())).toEqual([]);
    await site.clock.advance(1);
    expect(await bells.receive([mail], want())).toHaveLength(1);
  });

  says(
    'a bell is hidden for twelve hours from its receipt on at most, and not refused for more',
    async (site) => {
      const bells = await site.open();
      await bells.ring([ring('a')]);
      const [bell] = await bells.receive([mail], want());
      const hide = (ms: number) => bells.hide([{ handle: bell?.handle ?? '', ms }]);
      const hourMs = 3_600_000;
      expect(await hide(11 * hourMs)).toEqual([true]);
      await site.clock.advance(10 * hourMs);
      expect(await hide(11 * hourMs)).toEqual([true]);
      await site.clock.advance(2 * hourMs);
      expect(await bells.receive([mail], want())).toHaveLength(1);
    },
  );

  says('a handle is good in another process', async (site) => {
    const bells = await site.open();
    const other = await site.open();
    await bells.ring([ring('a')]);
    const [bell] = await bells.receive([mail], want());
    expect(await other.silence([bell?.handle ?? ''])).toEqual([true]);
    await site.clock.advance(60_000);
    expect(await bells.receive([mail], want())).toEqual([]);
  });

  says('an id of any length and any characters is rung, and comes back as it was', async (site) => {
    const bells = await site.open();
    const id = `ümläut ${'x'.repeat(300)}`;
    expect(await bells.ring([ring(id), ring(id), ring(`${id}y`)])).toEqual([true, true, true]);
    expect(idsOf(await bells.receive([mail], want())).toSorted()).toEqual([id, `${id}y`]);
  });
}
