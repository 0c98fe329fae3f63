import { expect } from 'vitest';
import type { SqsBroker } from '../../src/engines/aws/broker/broker.ts';
import type { Delivery } from '../../src/ports/broker.ts';
import { idsOf, mail, messages, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

/** The deliveries that a worker with one free slot every 20 ms took, and those that the broker buffered for it. */
interface Flow {
  readonly taken: Delivery[];
  readonly ahead: Delivery[];
}

/** Takes one delivery every 20 ms, as a worker does that begins each task at once. */
async function take(site: Site, broker: SqsBroker, count: number, flow: Flow): Promise<void> {
  const request = {
    waitMs: 20_000,
    tasks: 1,
    ahead: (deliveries: readonly Delivery[]) => void flow.ahead.push(...deliveries),
  };
  for (let i = 0; i < count; i++) {
    flow.taken.push(...(await broker.receive([mail], want(request))));
    await site.clock.advance(20);
  }
}

/** Opens two brokers on a backlog. The first one has learned to receive ahead, and has buffered some messages. */
async function learned(site: Site) {
  const [broker, away] = [await site.open(), await site.open()];
  await away.send(messages(150));
  const flow: Flow = { taken: [], ahead: [] };
  await take(site, broker, 60, flow);
  const taken = new Set(idsOf(flow.taken));
  const buffered = idsOf(flow.ahead).filter((id) => !taken.has(id));
  return { broker, away, flow, buffered };
}

/** Receives all messages that are visible now. */
async function receiveAll(broker: SqsBroker): Promise<string[]> {
  const received: string[] = [];
  for (let last = 1; last > 0; ) {
    const ids = idsOf(await broker.receive([mail], want()));
    last = ids.length;
    received.push(...ids);
  }
  return received;
}

export function ahead(says: Says): void {
  says(
    'a worker that takes messages steadily, one at a time, gets them from receives of ten, each of them once',
    async (site) => {
      const { broker, flow } = await learned(site);
      site.front.forget();
      await take(site, broker, 60, flow);
      expect(flow.taken).toHaveLength(120);
      expect(new Set(idsOf(flow.taken)).size).toBe(120);
      expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(12);
      expect(site.front.count('ChangeMessageVisibilityBatch')).toBe(0);
    },
  );

  says('no more than a worker takes in a second is received ahead', async (site) => {
    const { buffered } = await learned(site);
    expect(buffered.length).toBeGreaterThan(20);
    expect(buffered.length).toBeLessThanOrEqual(60);
  });

  says('a message that was received ahead and not taken within a second is shown to others', async (site) => {
    const { away, buffered, flow } = await learned(site);
    await site.clock.advance(1_000);
    const received = await receiveAll(away);
    expect(received).toEqual(expect.arrayContaining(buffered));
    expect(received).toHaveLength(150 - flow.taken.length);
  });

  says('messages that a killed process had received ahead are visible again after 5 s', async (site) => {
    const { away, buffered } = await learned(site);
    // A killed process makes no calls.
    const error = { status: 400, type: 'com.amazonaws.sqs#InvalidAddress' };
    site.front.faults.call = (action) => (action.startsWith('Change') ? error : undefined);
    await site.clock.advance(5_000);
    expect(await receiveAll(away)).toEqual(expect.arrayContaining(buffered));
  });

  says(
    'a message that was received ahead and taken stays hidden for 32 s, unless it is deleted',
    async (site) => {
      const { away, flow, broker } = await learned(site);
      const [last, ...others] = flow.taken.toReversed();
      const deleted = broker.delete(others.map(({ receiptHandle }) => receiptHandle));
      const id = last?.message.id ?? '';
      await site.clock.advance(31_000);
      expect(await deleted).not.toContain(false);
      expect(await receiveAll(away)).not.toContain(id);
      await site.clock.advance(1_000);
      expect(await receiveAll(away)).toContain(id);
    },
  );
}
