import { expect } from 'vitest';
import type { SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import type { ReceiveRequest } from '../../src/ports/broker.ts';
import { idsOf, mail, message, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const roomForTen: ReceiveRequest['room'] = () => ({ tasks: 10, bytes: 1_000_000 });

/** Receives in a loop until the test closes its `site`, like a worker that handles one task type alone. */
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

async function waitUntil(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

/**
 * Advances the virtual clock by a second, and waits in real time until open polls have ended and the next polls have
 * begun.
 */
async function passSecond(site: Site): Promise<void> {
  await site.clock.advance(1_000);
  await new Promise((resolve) => setTimeout(resolve, 30));
}

export function typesApart(says: Says): void {
  says(
    'workers of one process that handle different task types share polls, and each receives deliveries of its own types only',
    async (site) => {
      const broker = await site.open();
      const [send, print] = [worker(site, broker, 'send'), worker(site, broker, 'print')];
      const messages = Array.from({ length: 24 }, (_, i) => {
        const type = i % 2 === 0 ? 'send' : 'print';
        return message(`${type}-${i}`, { type });
      });
      await broker.send(messages);
      await waitUntil(site, () => send.received.length + print.received.length >= messages.length);
      expect(send.received.toSorted()).toEqual(idsFor(messages, 'send'));
      expect(print.received.toSorted()).toEqual(idsFor(messages, 'print'));
    },
  );

  says(
    'a delivery that no worker of the process handles goes to a worker with room, which defers it',
    async (site) => {
      const broker = await site.open();
      const send = worker(site, broker, 'send');
      await broker.send([message('a', { type: 'other' }), message('b', { typeVersion: 2 })]);
      await waitUntil(site, () => send.received.length === 2);
      expect(send.received.toSorted()).toEqual(['a', 'b']);
    },
  );

  says(
    'messages for a worker without room reappear at growing intervals, although another worker of the process keeps polling',
    async (site) => {
      const broker = await site.open();
      const room = { tasks: 0, bytes: 1_000_000 };
      const print = worker(site, broker, 'print', () => room);
      const messages = Array.from({ length: 20 }, (_, i) => message(`print-${i}`, { type: 'print' }));
      await broker.send(messages);
      const send = worker(site, broker, 'send');
      for (let i = 0; i < 60; i++) await passSecond(site);
      const received = broker.meter.read().receive?.messages ?? 0;
      // The messages reappear at growing intervals, so that another process with room can receive them.
      expect(received).toBeGreaterThan(messages.length * 5);
      expect(received).toBeLessThan(messages.length * 12);
      await broker.send([message('a')]);
      await waitUntil(site, () => send.received.length > 0);
      expect(send.received).toEqual(['a']);
      room.tasks = 100;
      for (let i = 0; i < 30 && print.received.length < messages.length; i++) await passSecond(site);
      expect(print.received.toSorted()).toEqual(idsFor(messages, 'print'));
    },
  );

  says(
    'a message that was received fifty times goes to any worker with room, since it must be replaced by a new message',
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
      await waitUntil(site, () => send.received.length > 0);
      expect([send.received, print.received]).toEqual([['a'], []]);
    },
  );

  says(
    'a receive without a wait leaves messages of another worker’s task type to that worker',
    async (site) => {
      const broker = await site.open();
      // The worker that handles the task type `print` has no room yet.
      const room = { tasks: 0, bytes: 1_000_000 };
      const signal = site.closing.signal;
      const types = [{ type: 'print', maxVersion: 1 }];
      const waiting = broker.receive([mail], {
        ...want({ waitMs: 20_000, types, signal }),
        room: () => room,
      });
      await broker.send([message('a', { type: 'print' }), message('b')]);
      expect(idsOf(await broker.receive([mail], want()))).toEqual(['b']);
      room.tasks = 10;
      await site.clock.advance(250);
      expect(idsOf(await waiting)).toEqual(['a']);
    },
  );
}

function idsFor(messages: readonly { readonly id: string; readonly type: string }[], type: string): string[] {
  return messages
    .filter((one) => one.type === type)
    .map(({ id }) => id)
    .toSorted();
}
