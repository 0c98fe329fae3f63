import { GetQueueUrlCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import { idsOf, mail, message, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

async function urlOf(site: Site, name: string): Promise<string> {
  const { QueueUrl } = await site.client.send(new GetQueueUrlCommand({ QueueName: name }));
  return QueueUrl ?? '';
}

async function sendRaw(site: Site, body: string, group: string): Promise<void> {
  const QueueUrl = await urlOf(site, site.name());
  const ids = { MessageGroupId: group, MessageDeduplicationId: `${group}-${body.length}` };
  await site.client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, ...ids }));
}

export function doublesAndPoison(says: Says): void {
  says(
    'several dispatch messages of one task are delivered one at a time, and none is left after all deliveries were deleted',
    async (site) => {
      const broker = await site.open();
      await broker.send([
        message('a'),
        message('a', { reason: 'due' }),
        message('a', { version: 2 }),
        message('b'),
      ]);
      const received = await broker.receive([mail], want());
      expect(idsOf(received).toSorted()).toEqual(['a', 'b']);
      await broker.delete(received.map((delivery) => delivery.receiptHandle));
      await site.clock.settle();
      // The stand-in ministack returned all messages of the message group at once. The stand-in fauxqs returns one
      // message of a group per receive and still has the others.
      if (broker.meter.read().receive?.messages === 4)
        expect(await broker.receive([mail], want())).toEqual([]);
      for (let i = 0; i < 3; i++) {
        const more = await broker.receive([mail], want());
        expect(more.length).toBeLessThanOrEqual(1);
        await broker.delete(more.map((delivery) => delivery.receiptHandle));
        await site.clock.settle();
      }
      await site.clock.advance(60_000);
      expect(await broker.receive([mail], want())).toEqual([]);
    },
  );

  says('while a message of a task is hidden, a later message of the task is not received', async (site) => {
    const broker = await site.open();
    await broker.send([message('a')]);
    await broker.receive([mail], want());
    await broker.send([message('a', { version: 3, reason: 'handOver' })]);
    expect(await broker.receive([mail], want())).toEqual([]);
  });

  says(
    'SQS drops a repeat of a message for five minutes, even after the first message was deleted',
    async (site) => {
      const broker = await site.open();
      await broker.send([message('a')]);
      const [delivery] = await broker.receive([mail], want());
      await broker.delete([delivery?.receiptHandle ?? '']);
      expect(await broker.send([message('a')])).toEqual([true]);
      expect(await broker.receive([mail], want())).toEqual([]);
      await site.clock.advance(301_000);
      await broker.send([message('a')]);
      expect(await broker.receive([mail], want())).toHaveLength(1);
    },
  );

  says(
    'SQS drops a repeat of a message with the dispatch reason "again" for 15 s, not for five minutes',
    async (site) => {
      const broker = await site.open();
      const again = message('a', { reason: 'again' });
      const deleteAll = async (): Promise<number> => {
        const received = await broker.receive([mail], want());
        await broker.delete(received.map((delivery) => delivery.receiptHandle));
        return received.length;
      };
      await broker.send([again, again]);
      expect(await deleteAll()).toBe(1);
      await broker.send([again]);
      expect(await deleteAll()).toBe(0);
      await site.clock.advance(15_000);
      await broker.send([again]);
      expect(await deleteAll()).toBe(1);
    },
  );

  says(
    'an unreadable message is logged, does not block others, and ends in the dead-letter queue',
    async (site) => {
      const broker = await site.open();
      await sendRaw(site, 'not a dispatch message', 'poison');
      await sendRaw(site, '[2,"of a version to come"]', 'newer');
      await broker.send([message('a')]);
      expect(idsOf(await broker.receive([mail], want()))).toEqual(['a']);
      expect(site.warnings.map((warning) => warning.message)).toEqual(
        Array(2).fill(
          'message is no dispatch message of Holdfast; SQS will move it to the dead-letter queue',
        ),
      );
      for (let receiveCount = 2; receiveCount <= 101; receiveCount++) {
        await site.clock.advance(32_000);
        await broker.receive([mail], want());
      }
      const [definition] = sqsQueuesOf(site.prefix, mail);
      const QueueUrl = await urlOf(site, definition?.deadName ?? '');
      const dead = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
      const { Messages = [] } = await site.client.send(dead);
      expect(Messages.map((message) => message.Body)).toContain('not a dispatch message');
    },
  );
}
