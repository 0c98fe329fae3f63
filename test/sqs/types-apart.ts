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

  says(
    'messages of a full type are passed over, and the ones behind them are received without a wait',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      await away.send(Array.from({ length: 60 }, (_, i) => message(`print-${i}`, { type: 'print' })));
      await away.send([message('a')]);
      const request = both(site, () => 0);
      expect(idsOf(await broker.receive([mail], request))).toEqual(['a']);
      const { calls = 0, messages = 0 } = broker.meter.read().receive ?? {};
      expect(messages).toBe(61);
      // One message was requested at first, since there was room for one task; then ten at a time.
      expect(calls).toBeLessThanOrEqual(16);
    },
  );

  says(
    'a message that was passed over is received from the buffer as soon as its type has room, without a call of ReceiveMessage',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      await away.send([message('a', { type: 'print' }), message('b')]);
      expect(
        idsOf(
          await broker.receive(
            [mail],
            both(site, () => 0),
          ),
        ),
      ).toEqual(['b']);
      const { calls } = broker.meter.read().receive ?? {};
      expect(
        idsOf(
          await broker.receive(
            [mail],
            both(site, () => 1),
          ),
        ),
      ).toEqual(['a']);
      expect(broker.meter.read().receive?.calls).toBe(calls);
    },
  );

  says(
    'a message of a full type that was received fifty times is received in spite of the limit, since it must be replaced',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      await away.send([message('a', { type: 'print' })]);
      for (let i = 1; i < 50; i++) {
        const [delivery] = await away.receive([mail], want());
        await away.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms: 0 }]);
      }
      expect(
        idsOf(
          await broker.receive(
            [mail],
            both(site, () => 0),
          ),
        ),
      ).toEqual(['a']);
    },
  );

  says('a worker whose types are all full does not poll SQS', async (site) => {
    const broker = await site.open();
    const waiting = broker.receive([mail], {
      ...both(site, () => 0),
      types: [{ type: 'print', maxVersion: 1 }],
    });
    await site.clock.advance(20_000);
    expect(await waiting).toEqual([]);
    expect(site.front.count('ReceiveMessage')).toBe(0);
  });

  says('the queues of a worker that take turns are served from the buffer in that order', async (site) => {
    const queues = [mail, { tenant: 'acme', queue: 'other' }] as const;
    const broker = await site.open({}, [...queues]);
    const away = await site.open({}, [...queues]);
    const calledOff = new AbortController();
    const left = broker.receive(queues, want({ waitMs: 20_000, signal: calledOff.signal }));
    await waitUntil(site, () => site.front.count('ReceiveMessage') === 2);
    calledOff.abort();
    await left;
    await away.send([message('a'), message('b', { queue: queues[1] })]);
    await waitUntil(site, () => (broker.meter.read().receive?.messages ?? 0) === 2);
    const [first, second] = queues;
    const request = want({ waitMs: 20_000, tasks: 1 });
    expect(idsOf(await broker.receive([second, first], request))).toEqual(['b']);
    expect(idsOf(await broker.receive([second, first], request))).toEqual(['a']);
  });
}

/** Returns the request of a worker with room for one task, which handles `send` without and `print` with a limit. */
function both(site: Site, roomForPrint: () => number): ReceiveRequest {
  const types = ['print', 'send'].map((type) => ({ type, maxVersion: 1 }));
  const roomOfType = (type: string): number => (type === 'print' ? roomForPrint() : 10);
  return want({ waitMs: 20_000, tasks: 1, types, roomOfType, signal: site.closing.signal });
}

function idsFor(messages: readonly { readonly id: string; readonly type: string }[], type: string): string[] {
  return messages
    .filter((one) => one.type === type)
    .map(({ id }) => id)
    .toSorted();
}
