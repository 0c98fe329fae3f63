import { expect } from 'vitest';
import { idsOf, mail, message, messages, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

export function batches(says: Says): void {
  says('messages sent in one turn of the event loop share SendMessageBatch calls of ten', async (site) => {
    const broker = await site.open();
    const calls = [
      ...messages(25).map((one) => broker.send([one])),
      broker.send(messages(10, { version: 2 })),
    ];
    expect((await Promise.all(calls)).flat()).toEqual(Array(35).fill(true));
    const sizes = site.front.calls
      .filter((call) => call.action === 'SendMessageBatch')
      .map((call) => (call.body.Entries as unknown[]).length);
    expect(sizes.toSorted()).toEqual([10, 10, 10, 5]);
    expect(broker.meter.read().send).toEqual({ calls: 4, messages: 35, failed: 0 });
  });

  says(
    'messages hidden or deleted in one turn of the event loop share one batch call to SQS',
    async (site) => {
      const broker = await site.open();
      await broker.send(messages(10));
      const received = await broker.receive([mail], want());
      const [first, ...others] = received.map((delivery) => delivery.receiptHandle);
      const hidden = await Promise.all(
        received.map(({ receiptHandle }) => broker.changeVisibility([{ receiptHandle, ms: 1_500 }])),
      );
      expect(hidden.flat()).toEqual(Array(10).fill(true));
      await Promise.all([broker.delete([first ?? '']), broker.delete(others)]);
      expect(site.front.count('ChangeMessageVisibilityBatch')).toBe(1);
      expect(site.front.count('DeleteMessageBatch')).toBe(1);
      await site.clock.advance(3_600_000);
      expect(await broker.receive([mail], want())).toEqual([]);
    },
  );

  says('the URL of an SQS queue is looked up once', async (site) => {
    const broker = await site.open();
    await broker.send([message('a')]);
    await broker.send([message('b')]);
    await broker.receive([mail], want());
    expect(site.front.count('GetQueueUrl')).toBe(1);
  });

  says('a visibility timeout of 1 ms hides a message for a whole second', async (site) => {
    const broker = await site.open();
    await broker.send([message('a')]);
    const [delivery] = await broker.receive([mail], want());
    await broker.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms: 1 }]);
    await site.clock.advance(999);
    expect(await broker.receive([mail], want())).toEqual([]);
    await site.clock.advance(1);
    expect(await broker.receive([mail], want())).toHaveLength(1);
  });

  says(
    'a message is hidden for at most 12 h from its receive on; a longer visibility timeout is cut, not refused',
    async (site) => {
      const broker = await site.open();
      await broker.send([message('a')]);
      const [delivery] = await broker.receive([mail], want());
      const changeVisibility = (ms: number) =>
        broker.changeVisibility([{ receiptHandle: delivery?.receiptHandle ?? '', ms }]);
      const hourMs = 3_600_000;
      expect(await changeVisibility(11 * hourMs)).toEqual([true]);
      await site.clock.advance(10 * hourMs);
      expect(await changeVisibility(11 * hourMs)).toEqual([true]);
      await site.clock.advance(2 * hourMs);
      expect(await broker.receive([mail], want())).toHaveLength(1);
    },
  );

  says(
    'a receipt handle can be used by another process than the one that received the message',
    async (site) => {
      const broker = await site.open();
      const other = await site.open();
      await broker.send([message('a')]);
      const [delivery] = await broker.receive([mail], want());
      expect(await other.delete([delivery?.receiptHandle ?? ''])).toEqual([true]);
      await site.clock.advance(60_000);
      expect(await broker.receive([mail], want())).toEqual([]);
    },
  );

  says('a task id of any length and any characters is sent, and received unchanged', async (site) => {
    const broker = await site.open();
    const id = `ümläut ${'x'.repeat(300)}`;
    expect(await broker.send([message(id), message(id), message(`${id}y`)])).toEqual([true, true, true]);
    expect(idsOf(await broker.receive([mail], want())).toSorted()).toEqual([id, `${id}y`]);
  });
}
