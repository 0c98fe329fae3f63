import { GetQueueUrlCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { createSqsDeadLetters, type SqsDeadLetters } from '../../src/engines/aws/broker/dead-letters.ts';
import { encodeMessage } from '../../src/engines/aws/broker/message.ts';
import { sqsDeadQueueName } from '../../src/engines/aws/broker/sqs/definition.ts';
import { SqsMeter } from '../../src/engines/aws/broker/sqs/meter.ts';
import { Dependency } from '../../src/engines/aws/load/dependency.ts';
import type { DispatchMessage } from '../../src/ports/broker.ts';
import type { DeadLetter } from '../../src/ports/dead-letters.ts';
import { silentLog } from '../../src/ports/log.ts';
import { errorOf } from '../contract/store-fixture.ts';
import { idsOf, mail, message, type Site, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const hiddenMs = 900_000;
const briefly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const unknown = { tenant: 'acme', queue: 'unknown' };
const death = (id: string, more: Partial<DispatchMessage> = {}): DispatchMessage =>
  message(id, { version: 3, reason: 'dead', ...more });
const receiptHandlesOf = (letters: readonly DeadLetter[]): string[] =>
  letters.map(({ receiptHandle }) => receiptHandle);
const taskIds = (letters: readonly DeadLetter[]): (string | undefined)[] =>
  letters.map((letter) => letter.message?.id).toSorted();

interface DeadLettersFixture {
  readonly letters: SqsDeadLetters;
  readonly meter: SqsMeter;
  /** Receives dead letters until some come or all dead-letter queues are found empty. */
  receive(most?: number): Promise<readonly DeadLetter[]>;
}

async function open(site: Site, enabled = site.enabled): Promise<DeadLettersFixture> {
  await site.open();
  const { client, clock, prefix } = site;
  const meter = new SqsMeter();
  const load = new Dependency('queues', clock, silentLog);
  const options = { client, meter, load, clock, log: silentLog, prefix, prioritiesOf: () => enabled };
  const letters = createSqsDeadLetters(options);
  async function receive(most = 10): Promise<readonly DeadLetter[]> {
    let found: readonly DeadLetter[] | undefined;
    const receiving = letters.receive(mail, most, hiddenMs).then((some) => {
      found = some;
    });
    // The wait of a poll that finds no message ends by the virtual clock. The clock advances in small steps, so that
    // no hidden message reappears meanwhile.
    for (;;) {
      await Promise.race([receiving, briefly()]);
      if (found !== undefined) return found;
      await site.clock.advance(250);
    }
  }
  return { letters, meter, receive };
}

async function sendRaw(site: Site, queue: string, body: string): Promise<string> {
  const { QueueUrl } = await site.client.send(new GetQueueUrlCommand({ QueueName: queue }));
  const ids = { MessageGroupId: 'raw', MessageDeduplicationId: body.replaceAll(/[^a-z]/g, '') };
  const sent = await site.client.send(new SendMessageCommand({ QueueUrl, MessageBody: body, ...ids }));
  return sent.MessageId ?? '';
}

export function deadLetters(says: Says): void {
  says(
    'SQS drops a repeated dead-letter notice, but not the notice of a later death of the same task',
    async (site) => {
      const { letters, receive } = await open(site);
      expect(await letters.publish([death('a'), death('a'), death('b')])).toEqual([true, true, true]);
      expect(await letters.publish([death('a'), death('b', { version: 6 })])).toEqual([true, true]);
      const first = await receive();
      expect(taskIds(first)).toEqual(expect.arrayContaining(['a', 'b']));
      expect(first.find((letter) => letter.message?.id === 'a')?.message).toEqual(death('a'));
      await letters.delete(receiptHandlesOf(first));
      const second = await receive();
      await letters.delete(receiptHandlesOf(second));
      expect([...first, ...second].map((letter) => letter.message?.version).toSorted()).toEqual([3, 3, 6]);
      expect(await receive()).toEqual([]);
    },
  );

  says(
    'dead-letter notices sent in one turn of the event loop share SendMessageBatch calls of ten',
    async (site) => {
      const { letters, meter } = await open(site);
      const deaths = Array.from({ length: 25 }, (_, i) => letters.publish([death(`task-${i}`)]));
      expect((await Promise.all(deaths)).flat()).toEqual(Array(25).fill(true));
      expect(meter.read().send).toEqual({ calls: 3, messages: 25, failed: 0 });
    },
  );

  says(
    'a dead-letter notice goes to the dead-letter queue of the nearest enabled priority, and a receive polls the dead-letter queues of all priorities',
    async (site) => {
      const { letters, receive } = await open(site);
      await letters.publish([death('a', { priority: 'high' }), death('b', { priority: 'low' })]);
      const urls = site.front.calls.filter(({ action }) => action === 'SendMessageBatch');
      expect(urls.map(({ body }) => /-(high|normal)-dead\.fifo$/.exec(String(body.QueueUrl))?.[1])).toEqual([
        'high',
        'normal',
      ]);
      expect(taskIds(await receive())).toEqual(['a']);
      expect(taskIds(await receive())).toEqual(['b']);
    },
    ['high', 'normal'],
  );

  says(
    'one receive of dead letters can return more notices than a single SQS call returns, and returns no notice twice',
    async (site) => {
      const { letters, receive } = await open(site);
      const all = Array.from({ length: 25 }, (_, i) => `task-${i}`);
      await letters.publish(all.map((id) => death(id)));
      expect(await receive(3)).toHaveLength(3);
      const others = await receive(40);
      expect(others).toHaveLength(22);
      expect(await receive(40)).toEqual([]);
    },
  );

  says(
    'a received dead-letter notice is hidden until its visibility timeout ends or it is made visible, and gone once deleted',
    async (site) => {
      const { letters, receive } = await open(site);
      await letters.publish([death('a')]);
      const [first] = await receive();
      expect(await receive()).toEqual([]);
      await site.clock.advance(hiddenMs);
      const [second] = await receive();
      expect(second?.messageId).toBe(first?.messageId);
      expect(second?.sentAtMs).toBe(first?.sentAtMs);
      expect(await letters.makeVisible([first?.receiptHandle ?? '', 'nonsense'])).toEqual([false, false]);
      expect(await letters.makeVisible([second?.receiptHandle ?? ''])).toEqual([true]);
      const third = await receive();
      expect(taskIds(third)).toEqual(['a']);
      expect(await letters.delete(receiptHandlesOf(third))).toEqual([true]);
      await site.clock.advance(hiddenMs);
      expect(await receive()).toEqual([]);
    },
  );

  says(
    'a dead letter that Holdfast did not write is returned without content, with its SQS message id',
    async (site) => {
      const { receive } = await open(site);
      const id = await sendRaw(site, sqsDeadQueueName(site.prefix, mail, 'normal'), 'not a dispatch message');
      expect(await receive()).toMatchObject([{ message: undefined, messageId: id }]);
    },
  );

  says(
    'a dead-letter notice that was moved to the SQS queue of dispatch messages is received like a dispatch message and can be deleted',
    async (site) => {
      const broker = await site.open();
      await sendRaw(site, site.name(), encodeMessage(death('a')));
      const received = await broker.receive([mail], want());
      expect(idsOf(received)).toEqual(['a']);
      expect(received[0]?.message).toEqual(death('a'));
      expect(await broker.delete(received.map(({ receiptHandle }) => receiptHandle))).toEqual([true]);
    },
  );

  says('if SQS refuses one dead-letter notice of a batch, only that notice fails', async (site) => {
    const { letters } = await open(site);
    site.front.faults.entry = (_, entry) =>
      entry.Id === '1' ? { SenderFault: false, Code: 'InternalError', Message: 'try again' } : undefined;
    const results = await letters.publish([death('a'), death('b'), death('c')]);
    expect(results).toMatchObject([true, { code: 'UNAVAILABLE', reason: 'STORE_FAILED' }, true]);
  });

  says(
    'the error for a missing dead-letter queue names the Holdfast queue and the SQS queue',
    async (site) => {
      const { letters } = await open(site);
      const [result] = await letters.publish([death('a', { queue: unknown })]);
      expect(result).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
      const error = await errorOf(letters.receive(unknown, 10, hiddenMs));
      expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
      expect(error.message).toContain("'unknown'");
      expect(error.message).toContain('-dead.fifo');
    },
  );

  says(
    'a receive of dead letters returns the notices of the SQS calls that succeeded, and fails only if all calls failed',
    async (site) => {
      const { letters, receive } = await open(site);
      await letters.publish(Array.from({ length: 20 }, (_, i) => death(`task-${i}`)));
      let calls = 0;
      site.front.faults.call = (action) =>
        action === 'ReceiveMessage' && ++calls === 1 ? { status: 403, type: 'AccessDenied' } : undefined;
      expect(await receive(20)).toHaveLength(10);
      site.front.faults.call = (action) =>
        action === 'ReceiveMessage' ? { status: 403, type: 'AccessDenied' } : undefined;
      expect(await errorOf(letters.receive(mail, 20, hiddenMs))).toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  says(
    'closing the client of the dead-letter queues waits for notices in flight and rejects later notices',
    async (site) => {
      const { letters } = await open(site);
      const publishing = letters.publish([death('a')]);
      await letters.close();
      expect(await publishing).toEqual([true]);
      expect(await errorOf(letters.publish([death('b')]))).toMatchObject({ reason: 'STORE_FAILED' });
    },
  );
}
