import { expect } from 'vitest';
import type { SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import type { Want } from '../../src/ports/broker.ts';
import { idsOf, mail, message, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const roomForTen: Want['room'] = () => ({ tasks: 10, bytes: 1_000_000 });

/** Waits like a worker that handles one type alone, until it is called off. */
function worker(
  site: Site,
  broker: SqsBroker,
  type: string,
  room = roomForTen,
): { readonly received: string[] } {
  const { signal } = site.closing;
  const received: string[] = [];
  const types = [{ type, maxVersion: 1 }];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      received.push(...idsOf(await broker.receive([mail], want({ waitMs: 20_000, room, types, signal }))));
    }
  };
  void loop();
  return { received };
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
      const broker = await site.open();
      const [send, print] = [worker(site, broker, 'send'), worker(site, broker, 'print')];
      const messages = Array.from({ length: 24 }, (_, i) => {
        const type = i % 2 === 0 ? 'send' : 'print';
        return message(`${type}-${i}`, { type });
      });
      await broker.send(messages);
      await until(site, () => send.received.length + print.received.length >= messages.length);
      expect(send.received.toSorted()).toEqual(idsFor(messages, 'send'));
      expect(print.received.toSorted()).toEqual(idsFor(messages, 'print'));
    },
  );

  says(
    'a bell that nobody of this process handles is heard by whoever has room, to be put aside',
    async (site) => {
      const broker = await site.open();
      const send = worker(site, broker, 'send');
      await broker.send([message('a', { type: 'other' }), message('b', { typeVersion: 2 })]);
      await until(site, () => send.received.length === 2);
      expect(send.received.toSorted()).toEqual(['a', 'b']);
    },
  );

  says(
    'bells whose own worker is full are not fetched again and again for another that has room',
    async (site) => {
      const broker = await site.open();
      const room = { tasks: 0, bytes: 1_000_000 };
      const print = worker(site, broker, 'print', () => room);
      const messages = Array.from({ length: 20 }, (_, i) => message(`print-${i}`, { type: 'print' }));
      await broker.send(messages);
      const send = worker(site, broker, 'send');
      for (let i = 0; i < 60; i++) await second(site);
      const received = broker.meter.read().receive?.messages ?? 0;
      // Also for whoever has room elsewhere: they come back, ever more rarely.
      expect(received).toBeGreaterThan(messages.length * 5);
      expect(received).toBeLessThan(messages.length * 12);
      await broker.send([message('a')]);
      await until(site, () => send.received.length > 0);
      expect(send.received).toEqual(['a']);
      room.tasks = 100;
      for (let i = 0; i < 30 && print.received.length < messages.length; i++) await second(site);
      expect(print.received.toSorted()).toEqual(idsFor(messages, 'print'));
    },
  );

  says(
    'one that was received fifty times is heard by whoever has room, since it has to be rung anew',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      await away.send([message('a', { type: 'print' })]);
      for (let i = 1; i < 50; i++) {
        const [delivery] = await away.receive([mail], want());
        await away.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms: 0 }]);
      }
      const print = worker(site, broker, 'print', () => ({ tasks: 0, bytes: 1_000_000 }));
      const send = worker(site, broker, 'send');
      await until(site, () => send.received.length > 0);
      expect([send.received, print.received]).toEqual([['a'], []]);
    },
  );

  says('one look leaves the bells of another worker’s type to that worker', async (site) => {
    const broker = await site.open();
    // Without room for now.
    const room = { tasks: 0, bytes: 1_000_000 };
    const signal = site.closing.signal;
    const types = [{ type: 'print', maxVersion: 1 }];
    const waiting = broker.receive([mail], { ...want({ waitMs: 20_000, types, signal }), room: () => room });
    await broker.send([message('a', { type: 'print' }), message('b')]);
    expect(idsOf(await broker.receive([mail], want()))).toEqual(['b']);
    room.tasks = 10;
    await site.clock.advance(250);
    expect(idsOf(await waiting)).toEqual(['a']);
  });
}

function idsFor(messages: readonly { readonly id: string; readonly type: string }[], type: string): string[] {
  return messages
    .filter((one) => one.type === type)
    .map(({ id }) => id)
    .toSorted();
}
