import { expect } from 'vitest';
import type { SqsBells } from '../../src/engines/aws/broker/broker.ts';
import type { Want } from '../../src/ports/broker.ts';
import { idsOf, mail, ring, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const roomForTen: Want['room'] = () => ({ tasks: 10, bytes: 1_000_000 });

/** Waits like a worker that handles one type alone, until it is called off. */
function worker(site: Site, bells: SqsBells, type: string, room = roomForTen): { readonly heard: string[] } {
  const { signal } = site.closing;
  const heard: string[] = [];
  const types = [{ type, maxVersion: 1 }];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      heard.push(...idsOf(await bells.receive([mail], want({ waitMs: 20_000, room, types, signal }))));
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

/** Long enough in real time for polls to end and the next to begin. */
async function second(site: Site): Promise<void> {
  await site.clock.advance(1_000);
  await new Promise((resolve) => setTimeout(resolve, 30));
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

  says(
    'bells whose own worker is full are not fetched again and again for another that has room',
    async (site) => {
      const bells = await site.open();
      const room = { tasks: 0, bytes: 1_000_000 };
      const print = worker(site, bells, 'print', () => room);
      const rings = Array.from({ length: 20 }, (_, i) => ring(`print-${i}`, { type: 'print' }));
      await bells.ring(rings);
      const send = worker(site, bells, 'send');
      for (let i = 0; i < 60; i++) await second(site);
      const received = bells.meter.read().receive?.messages ?? 0;
      // Also for whoever has room elsewhere: they come back, ever more rarely.
      expect(received).toBeGreaterThan(rings.length * 5);
      expect(received).toBeLessThan(rings.length * 12);
      await bells.ring([ring('a')]);
      await until(site, () => send.heard.length > 0);
      expect(send.heard).toEqual(['a']);
      room.tasks = 100;
      for (let i = 0; i < 30 && print.heard.length < rings.length; i++) await second(site);
      expect(print.heard.toSorted()).toEqual(idsFor(rings, 'print'));
    },
  );

  says(
    'one that was received fifty times is heard by whoever has room, since it has to be rung anew',
    async (site) => {
      const bells = await site.open();
      const away = await site.open();
      await away.ring([ring('a', { type: 'print' })]);
      for (let i = 1; i < 50; i++) {
        const [bell] = await away.receive([mail], want());
        await away.hide([{ handle: bell?.handle ?? '', ms: 0 }]);
      }
      const print = worker(site, bells, 'print', () => ({ tasks: 0, bytes: 1_000_000 }));
      const send = worker(site, bells, 'send');
      await until(site, () => send.heard.length > 0);
      expect([send.heard, print.heard]).toEqual([['a'], []]);
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
