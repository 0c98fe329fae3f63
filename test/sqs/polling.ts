import { expect } from 'vitest';
import { priorities } from '../../src/core/priority.ts';
import { createSqsBroker, type SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import { closeGraceMs } from '../../src/engines/aws/broker/priority-level.ts';
import { idsOf, mail, message, messages, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const minuteMs = 60_000;
const other = { tenant: 'acme', queue: 'other' };

/** Receives in a loop with waits of 20 s until the test closes its `site`, as a worker's session does. */
function worker(site: Site, broker: SqsBroker, queues = [mail], tasks = 10): PollingWorker {
  const { signal } = site.closing;
  const received: string[] = [];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      received.push(...idsOf(await broker.receive(queues, want({ waitMs: 20_000, tasks, signal }))));
    }
  };
  void loop();
  return { received };
}

interface PollingWorker {
  readonly received: readonly string[];
}

async function waitUntil(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

/**
 * Advances the virtual clock in small steps, each long enough in real time for a poll to end and the next to begin.
 */
async function passTime(site: Site, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    await site.clock.advance(Math.min(left, 10_000));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export function polling(says: Says): void {
  says('idle workers of one process together poll SQS three times a minute', async (site) => {
    const broker = await site.open();
    for (let i = 0; i < 3; i++) worker(site, broker);
    await waitUntil(site, () => site.front.count('ReceiveMessage') > 0);
    site.front.forget();
    // Three polls a minute, and one more whose answer came late on the real clock.
    await passTime(site, 3 * minuteMs);
    expect(site.front.count('ReceiveMessage')).toBeGreaterThan(0);
    expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(10);
  });

  says(
    'a queue of three priorities in quiet mode (one priority is polled at a time) is polled no more often than a queue of one priority',
    async (site) => {
      const broker = await site.open({ quietAfterMs: minuteMs });
      const listening = worker(site, broker);
      await passTime(site, 2 * minuteMs);
      site.front.forget();
      await passTime(site, 3 * minuteMs);
      expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(10);
      // Each priority is polled in turn, and a message that this process sends is received at once.
      const polled = site.front.calls.map((call) => String(call.body.QueueUrl));
      expect(new Set(polled).size).toBe(3);
      const unpolled = priorities.find((priority) => !polled.at(-1)?.includes(priority)) ?? 'normal';
      await broker.send([message('a', { priority: unpolled })]);
      await waitUntil(site, () => listening.received.length === 1);
      expect(listening.received).toEqual(['a']);
    },
    priorities,
  );

  says(
    'a busy queue of three priorities has a long poll open for each priority',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      const listening = worker(site, broker);
      for (const priority of priorities) {
        await waitUntil(site, () => site.front.calls.filter(isLongPoll).length >= 3);
        await away.send([message(priority, { priority })]);
        await waitUntil(site, () => listening.received.includes(priority));
        expect(listening.received).toContain(priority);
      }
    },
    priorities,
  );

  says('a worker without room for a task does not poll SQS', async (site) => {
    const broker = await site.open();
    const waiting = broker.receive([mail], want({ waitMs: 20_000, tasks: 0 }));
    await broker.send([message('a')]);
    await site.clock.advance(20_000);
    expect(await waiting).toEqual([]);
    expect(site.front.count('ReceiveMessage')).toBe(0);
  });

  says('a waiting worker that gets room receives a message that another process sent', async (site) => {
    const broker = await site.open();
    const away = await site.open();
    await away.send([message('a')]);
    let tasks = 0;
    const room = () => ({ tasks, bytes: 1_000 });
    const waiting = broker.receive([mail], want({ waitMs: 20_000, room }));
    await site.clock.advance(1_000);
    tasks = 1;
    await site.clock.advance(250);
    expect(idsOf(await waiting)).toEqual(['a']);
  });

  says(
    'a delivery for which no worker has room is buffered for a second, then made visible in SQS again',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      let tasks = 1;
      const calledOff = new AbortController();
      const room = () => ({ tasks, bytes: 1_000 });
      const full = broker.receive([mail], want({ waitMs: 20_000, room, signal: calledOff.signal }));
      await waitUntil(site, () => site.front.calls.some(isLongPoll));
      tasks = 0;
      await away.send([message('a')]);
      await waitUntil(site, () => (broker.meter.read().receive?.calls ?? 0) === 1);
      expect(await away.receive([mail], want())).toEqual([]);
      await site.clock.advance(1_000);
      expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
      calledOff.abort();
      expect(await full).toEqual([]);
    },
  );

  says('a buffered delivery goes to the next worker that waits for messages', async (site) => {
    const broker = await site.open();
    const away = await site.open();
    const calledOff = new AbortController();
    const left = broker.receive([mail], want({ waitMs: 20_000, signal: calledOff.signal }));
    await waitUntil(site, () => site.front.calls.some(isLongPoll));
    calledOff.abort();
    await left;
    await away.send([message('a')]);
    await waitUntil(site, () => (broker.meter.read().receive?.calls ?? 0) === 1);
    expect(idsOf(await broker.receive([mail], want({ waitMs: 20_000 })))).toEqual(['a']);
  });

  says(
    'a delivery that a receive without a wait has no more room for goes to a worker that waits',
    async (site) => {
      const broker = await site.open();
      let waitersRoom = 0;
      const waiting = broker.receive(
        [mail],
        want({ waitMs: 20_000, room: () => ({ tasks: waitersRoom, bytes: 1_000 }) }),
      );
      await broker.send([message('a')]);
      let roomCalls = 0;
      const room = () => {
        if (roomCalls++ === 0) return { tasks: 1, bytes: 1_000 };
        waitersRoom = 1;
        return { tasks: 0, bytes: 0 };
      };
      expect(await broker.receive([mail], want({ room }))).toEqual([]);
      expect(idsOf(await waiting)).toEqual(['a']);
    },
  );

  says(
    'waiting receive calls return messages of higher priorities first',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      await away.send(['a', 'b', 'c'].map((id) => message(id, { priority: 'low' })));
      await away.send(['d', 'e', 'f'].map((id) => message(id, { priority: 'high' })));
      const received: string[] = [];
      for (let i = 0; i < 6; i++) {
        received.push(...idsOf(await broker.receive([mail], want({ waitMs: 20_000, tasks: 1 }))));
      }
      expect(received).toEqual(['d', 'e', 'f', 'a', 'b', 'c']);
    },
    priorities,
  );

  says(
    'messages of a lower priority do not starve if all receive calls wait',
    async (site) => {
      const broker = await site.open();
      await broker.send([message('low', { priority: 'low' }), ...messages(20, { priority: 'high' })]);
      const received: string[] = [];
      while (!received.includes('low')) {
        received.push(...idsOf(await broker.receive([mail], want({ waitMs: 20_000, tasks: 1 }))));
      }
      expect(received).toHaveLength(16);
    },
    priorities,
  );

  says('closing the broker makes buffered deliveries visible in SQS at once', async (site) => {
    const broker = await site.open();
    const away = await site.open();
    const calledOff = new AbortController();
    const left = broker.receive([mail], want({ waitMs: 20_000, signal: calledOff.signal }));
    await waitUntil(site, () => site.front.calls.some(isLongPoll));
    calledOff.abort();
    await left;
    await away.send([message('a')]);
    await waitUntil(site, () => (broker.meter.read().receive?.calls ?? 0) === 1);
    await broker.close();
    expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
  });

  says(
    'messages that arrive while the broker is closing are made visible in SQS again at once',
    async (site) => {
      const away = await site.open();
      const { client, clock, prefix, enabled } = site;
      const broker = createSqsBroker({ client, clock, prefix, prioritiesOf: () => enabled });
      const waiting = broker.receive([mail], want({ waitMs: 20_000 }));
      await waitUntil(site, () => site.front.calls.some(isLongPoll));
      const closed = broker.close();
      await away.send([message('a')]);
      await waitUntil(site, () => (broker.meter.read().receive?.calls ?? 0) === 1);
      await clock.advance(closeGraceMs);
      await closed;
      expect(broker.meter.read().receive?.calls).toBe(1);
      expect(await waiting).toEqual([]);
      expect(idsOf(await away.receive([mail], want()))).toEqual(['a']);
    },
  );

  says('a backlog of messages is received with several concurrent ReceiveMessage calls', async (site) => {
    const broker = await site.open();
    await broker.send(messages(60));
    site.front.forget();
    const listening = worker(site, broker, [mail], 100);
    await waitUntil(site, () => listening.received.length === 60);
    expect(new Set(listening.received).size).toBe(60);
    expect(broker.meter.read().receive?.calls).toBeLessThanOrEqual(8);
    expect(site.front.mostAtOnce('ReceiveMessage')).toBeGreaterThan(1);
  });

  says('a worker for several queues receives messages of each queue', async (site) => {
    const broker = await site.open({}, [mail, other]);
    const away = await site.open({}, [mail, other]);
    const listening = worker(site, broker, [mail, other]);
    await away.send([message('a'), message('b', { queue: other })]);
    await waitUntil(site, () => listening.received.length === 2);
    expect(listening.received.toSorted()).toEqual(['a', 'b']);
  });

  says(
    'a message of a priority that is not enabled goes to the SQS queue of the nearest enabled priority and keeps its own priority',
    async (site) => {
      const broker = await site.open();
      await broker.send([message('a', { priority: 'low' }), message('b', { priority: 'high' })]);
      const received = await broker.receive([mail], want());
      expect(received.map((delivery) => [delivery.message.id, delivery.message.priority]).toSorted()).toEqual(
        [
          ['a', 'low'],
          ['b', 'high'],
        ],
      );
      expect(await broker.delete(received.map((delivery) => delivery.receiptHandle))).toEqual([true, true]);
    },
    ['normal'],
  );
}

function isLongPoll(call: { readonly action: string; readonly body: Record<string, unknown> }): boolean {
  return call.action === 'ReceiveMessage' && Number(call.body.WaitTimeSeconds) > 0;
}
