import { DeleteQueueCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import type { Priority } from '../../src/core/submission/submission.ts';
import type { SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import type { Delivery } from '../../src/ports/broker.ts';
import { refusal } from '../contract/store-fixture.ts';
import { idsOf, mail, message, messages, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const minuteMs = 60_000;
const levels: readonly Priority[] = ['normal', 'low'];

/** Polls of this level fail, all others are answered. */
function refuse(site: Site, priority: Priority): void {
  site.front.faults.call = (action, body) =>
    action === 'ReceiveMessage' && String(body.QueueUrl).endsWith(site.name(priority))
      ? { status: 400, type: 'AccessDenied' }
      : undefined;
}

function polls(site: Site, priority: Priority): number {
  const asked = site.front.calls.filter(({ action }) => action === 'ReceiveMessage');
  return asked.filter(({ body }) => String(body.QueueUrl).endsWith(site.name(priority))).length;
}

/** As a worker's session does, one wait after the other until the site is closed. */
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

async function until(site: Site, done: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await site.clock.settle();
  }
}

/** Small steps, each long enough in real time for a poll to end and the next to begin. */
async function pass(site: Site, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await site.clock.advance(Math.min(left, 5_000));
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

export function failingLevels(says: Says): void {
  says(
    'a queue one of whose priorities is gone from SQS is heard on the others, on and on',
    async (site) => {
      const broker = await site.open();
      const { QueueUrl } = await site.client.send(new GetQueueUrlCommand({ QueueName: site.name('low') }));
      await site.client.send(new DeleteQueueCommand({ QueueUrl }));
      // More than the receives of which one begins at the lowest.
      await broker.send(messages(40));
      const received = worker(site, broker);
      await until(site, () => received.length >= 40);
      expect(new Set(received).size).toBe(40);
    },
    levels,
  );

  says(
    'what comes first and fails keeps nobody from the next',
    async (site) => {
      const broker = await site.open();
      refuse(site, 'normal');
      await broker.send(messages(20, { priority: 'low' }));
      const received = worker(site, broker);
      await until(site, () => received.length >= 20);
      expect(new Set(received).size).toBe(20);
    },
    levels,
  );

  says(
    'a priority that fails is asked less and less often, told each time, and heard once it works',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      refuse(site, 'low');
      const received = worker(site, broker);
      await until(site, () => polls(site, 'low') > 0);
      await pass(site, 2 * minuteMs);
      expect(polls(site, 'low')).toBeGreaterThan(5);
      expect(polls(site, 'low')).toBeLessThanOrEqual(12);
      const told = site.warnings.filter((one) => one.message.startsWith('could not listen'));
      expect(told).toHaveLength(polls(site, 'low'));
      expect(new Set(told.map((one) => one.sqs_queue))).toEqual(new Set([site.name('low')]));
      const pauses = told.map((one) => Number(one.pause_ms));
      expect(pauses.slice(0, 3)).toEqual([500, 1_000, 2_000]);
      expect(pauses.at(-1)).toBe(20_000);
      delete site.front.faults.call;
      await away.send([message('a', { priority: 'low' })]);
      await pass(site, 20_000);
      await until(site, () => received.length > 0);
      expect(received).toEqual(['a']);
      // The next failure is the first again.
      const before = site.warnings.length;
      refuse(site, 'low');
      await pass(site, 20_000);
      await until(site, () => site.warnings.length > before);
      expect(site.warnings[before]?.pause_ms).toBe(500);
    },
    levels,
  );

  says(
    'who waits is told of a failure only once all priorities of its queues fail',
    async (site) => {
      const broker = await site.open();
      const away = await site.open();
      refuse(site, 'low');
      const waiting: Promise<readonly Delivery[]> = broker.receive([mail], waits());
      await until(site, () => site.warnings.length > 0);
      await away.send([message('a')]);
      expect(idsOf(await waiting)).toEqual(['a']);
      site.front.faults.call = (action) =>
        action === 'ReceiveMessage' ? { status: 400, type: 'AccessDenied' } : undefined;
      const told = refusal(broker.receive([mail], waits()));
      await pass(site, 5_000);
      expect(await told).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    },
    levels,
  );

  says(
    'a queue that was silent for long is heard though one of its priorities fails',
    async (site) => {
      const broker = await site.open({ quietAfterMs: minuteMs });
      const away = await site.open();
      refuse(site, 'low');
      const received = worker(site, broker);
      await pass(site, 3 * minuteMs);
      site.front.forget();
      await pass(site, minuteMs);
      expect(polls(site, 'normal')).toBeGreaterThan(1);
      expect(polls(site, 'normal')).toBeLessThanOrEqual(3);
      expect(polls(site, 'low')).toBeLessThanOrEqual(3);
      await away.send([message('a')]);
      await until(site, () => received.length > 0);
      expect(received).toEqual(['a']);
    },
    levels,
  );
}
