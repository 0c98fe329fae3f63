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
    'several bells of one task are heard one at a time, and none is left when it is silenced',
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
      // A stand-in that gave all of a group has no other; one that gives one at a time has them still.
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

  says('the bell of a task that is held is not heard by another ring either', async (site) => {
    const broker = await site.open();
    await broker.send([message('a')]);
    await broker.receive([mail], want());
    await broker.send([message('a', { version: 3, reason: 'handOver' })]);
    expect(await broker.receive([mail], want())).toEqual([]);
  });

  says('a repeated ring is swallowed for five minutes, also after it was silenced', async (site) => {
    const broker = await site.open();
    await broker.send([message('a')]);
    const [delivery] = await broker.receive([mail], want());
    await broker.delete([delivery?.receiptHandle ?? '']);
    expect(await broker.send([message('a')])).toEqual([true]);
    expect(await broker.receive([mail], want())).toEqual([]);
    await site.clock.advance(301_000);
    await broker.send([message('a')]);
    expect(await broker.receive([mail], want())).toHaveLength(1);
  });

  says('ringing anew is swallowed for fifteen seconds only', async (site) => {
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
  });

  says('what is no bell is told of, hinders no other bell, and is a dead letter in the end', async (site) => {
    const broker = await site.open();
    await sendRaw(site, 'not a dispatch message', 'poison');
    await sendRaw(site, '[2,"of a version to come"]', 'newer');
    await broker.send([message('a')]);
    expect(idsOf(await broker.receive([mail], want()))).toEqual(['a']);
    expect(site.warnings.map((warning) => warning.message)).toEqual(
      Array(2).fill('a message that is no bell of Holdfast is left to the dead-letter queue'),
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
  });
}
