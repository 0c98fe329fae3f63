import { DeleteQueueCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import type { Priority } from '../../src/core/priority.ts';
import type { SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import type { Delivery } from '../../src/ports/broker.ts';
import { errorOf } from '../contract/store-fixture.ts';
import { idsOf, mail, message, messages, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const minuteMs = 60_000;
const levels: readonly Priority[] = ['normal', 'low'];

/** Makes the polls of this priority's SQS queue fail. Polls of all other priorities succeed. */
function failPolls(site: Site, priority: Priority): void {
  site.front.faults.call = (action, body) =>
    action === 'ReceiveMessage' && String(body.QueueUrl).endsWith(site.name(priority))
      ? { status: 400, type: 'AccessDenied' }
      : undefined;
}

function polls(site: Site, priority: Priority): number {
  const receives = site.front.calls.filter(({ action }) => action === 'ReceiveMessage');
  return receives.filter(({ body }) => String(body.QueueUrl).endsWith(site.name(priority))).length;
}

/**
 * Receives in a loop until the test closes its `site`, as a worker's session does. Returns the growing list of
 * received task ids.
 */
function worker(site: Site, broker: SqsBroker, tasks = 1): readonly string[] {
  const { signal } = site.closing;
  const received: string[] = [];
  const loop = async (): Promise<void> => {
    while (!signal.aborted) received.push(...idsOf(await broker.receive([mail], waits({ tasks, signal }))));
  };
  void loop();
  return received;
}

const waits = (more: Parameters<typeof want>[0] = {}) => want({ waitMs: 20_000, ...more });

async function waitUntil(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

/**
 * Advances the virtual clock in small steps, each long enough in real time for a poll to end and the next to begin.
 */
async function passTime(site: Site, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await site.clock.advance(Math.min(left, 5_000));
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

export function failingLevels(says: Says): void {
  says(
    'messages of a queue are still received if the SQS queue of one of its priorities was deleted',
    async (site) => {
      const broker = await site.open();
      const { QueueUrl } = await site.client.send(new GetQueueUrlCommand({ QueueName: site.name('low') }));
      await site.client.send(new DeleteQueueCommand({ QueueUrl }));
      // Every 16th receive begins at the lowest priority, so these 40 receives include some that do.
      await broker.send(messages(40));
      const received = worker(site, broker);
      await waitUntil(site, () => received.length >= 40);
      expect(new Set(received).size).toBe(40);
    },
    levels,
  );

  says(
    'a priority whose polls fail does not block messages of a lower priority',
    async (site) => {
      const broker = await site.open();
      failPolls(site, 'normal');
      await broker.send(messages(20, { priority: 'low' }));
      const received = worker(site, broker);
      await waitUntil(site, () => received.length >= 20);
      expect(new Set(received).size).toBe(20);
    },
    levels,
  );

  says(
    'a priority whose polls fail is polled less and less often with a log line each time, and normally once a poll succeeds',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      failPolls(site, 'low');
      const received = worker(site, broker);
      await waitUntil(site, () => polls(site, 'low') > 0);
      await passTime(site, 2 * minuteMs);
      expect(polls(site, 'low')).toBeGreaterThan(5);
      expect(polls(site, 'low')).toBeLessThanOrEqual(12);
      const logged = site.warnings.filter((one) => one.message.startsWith('could not poll'));
      expect(logged).toHaveLength(polls(site, 'low'));
      expect(new Set(logged.map((one) => one.sqs_queue))).toEqual(new Set([site.name('low')]));
      const pauses = logged.map((one) => Number(one.pause_ms));
      expect(pauses.slice(0, 3)).toEqual([500, 1_000, 2_000]);
      expect(pauses.at(-1)).toBe(20_000);
      delete site.front.faults.call;
      await away.send([message('a', { priority: 'low' })]);
      await passTime(site, 20_000);
      await waitUntil(site, () => received.length > 0);
      expect(received).toEqual(['a']);
      // A successful poll resets the backoff, so the next backoff is the shortest again.
      const before = site.warnings.length;
      failPolls(site, 'low');
      await passTime(site, 20_000);
      await waitUntil(site, () => site.warnings.length > before);
      expect(site.warnings[before]?.pause_ms).toBe(500);
    },
    levels,
  );

  says(
    'a waiting receive call fails only once the polls of all priorities of its queues fail',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      failPolls(site, 'low');
      const waiting: Promise<readonly Delivery[]> = broker.receive([mail], waits());
      await waitUntil(site, () => site.warnings.length > 0);
      await away.send([message('a')]);
      expect(idsOf(await waiting)).toEqual(['a']);
      site.front.faults.call = (action) =>
        action === 'ReceiveMessage' ? { status: 400, type: 'AccessDenied' } : undefined;
      const failing = errorOf(broker.receive([mail], waits()));
      await passTime(site, 5_000);
      expect(await failing).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    },
    levels,
  );

  says(
    'messages of a queue in quiet mode (one priority is polled at a time) are received although the polls of one priority fail',
    async (site) => {
      const broker = await site.open({ quietAfterMs: minuteMs });
      const away = await site.open();
      failPolls(site, 'low');
      const received = worker(site, broker);
      await passTime(site, 3 * minuteMs);
      site.front.forget();
      // Three polls a minute, and one more whose answer came late on the real clock.
      await passTime(site, 3 * minuteMs);
      expect(polls(site, 'normal')).toBeGreaterThan(1);
      expect(polls(site, 'normal')).toBeLessThanOrEqual(10);
      expect(polls(site, 'low')).toBeLessThanOrEqual(10);
      await away.send([message('a')]);
      await waitUntil(site, () => received.length > 0);
      expect(received).toEqual(['a']);
    },
    levels,
  );
}
