import { expect } from 'vitest';
import type { SqsBells } from '../../src/engines/aws/bells.ts';
import type { Says } from './says.ts';
import { idsOf, mail, ring, type Site, want } from './site.ts';

/** Waits like a worker that handles one type alone, until it is called off. */
function worker(site: Site, bells: SqsBells, type: string, tasks = 10): { readonly heard: string[] } {
  const { signal } = site.closing;
  const heard: string[] = [];
  const types = [{ type, maxVersion: 1 }];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      heard.push(...idsOf(await bells.receive([mail], want({ waitMs: 20_000, tasks, types, signal }))));
    }
  };
  void loop();
  return { heard };
}

async function until(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

export function typesApart(says: Says): void {
  says(
    'workers of one process that handle different types hear their own bells, whoever polled',
    async (site) => {
      const bells = await site.open();
      const [send, print] = [worker(site, bells, 'send'), worker(site, bells, 'print')];
      const rings = Array.from({ length: 24 }, (_, i) => {
        const type = i % 2 === 0 ? 'send' : 'print';
        return ring(`${type}-${i}`, { type });
      });
      await bells.ring(rings);
      await until(site, () => send.heard.length + print.heard.length >= rings.length);
      expect(send.heard.toSorted()).toEqual(idsFor(rings, 'send'));
      expect(print.heard.toSorted()).toEqual(idsFor(rings, 'print'));
    },
  );

  says(
    'a bell that nobody of this process handles is heard by whoever has room, to be put aside',
    async (site) => {
      const bells = await site.open();
      const send = worker(site, bells, 'send');
      await bells.ring([ring('a', { type: 'other' }), ring('b', { typeVersion: 2 })]);
      await until(site, () => send.heard.length === 2);
      expect(send.heard.toSorted()).toEqual(['a', 'b']);
    },
  );

  says('one look leaves the bells of another worker’s type to that worker', async (site) => {
    const bells = await site.open();
    // Without room for now.
    const room = { tasks: 0, bytes: 1_000_000 };
    const signal = site.closing.signal;
    const types = [{ type: 'print', maxVersion: 1 }];
    const waiting = bells.receive([mail], { ...want({ waitMs: 20_000, types, signal }), room: () => room });
    await bells.ring([ring('a', { type: 'print' }), ring('b')]);
    expect(idsOf(await bells.receive([mail], want()))).toEqual(['b']);
    room.tasks = 10;
    await site.clock.advance(250);
    expect(idsOf(await waiting)).toEqual(['a']);
  });
}

function idsFor(rings: readonly { readonly id: string; readonly type: string }[], type: string): string[] {
  return rings
    .filter((one) => one.type === type)
    .map(({ id }) => id)
    .toSorted();
}
