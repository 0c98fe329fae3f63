import { expect } from 'vitest';
import { HoldfastError } from '../../src/core/errors.ts';
import { encodeReceiptHandle } from '../../src/engines/aws/broker/receipt-handle.ts';
import { createQueues } from '../../src/engines/aws/broker/sqs/create.ts';
import { sqsQueuesOf } from '../../src/engines/aws/broker/sqs/definition.ts';
import { errorOf } from '../contract/store-fixture.ts';
import { standInClient } from '../stand-ins/sqs-stand-in.ts';
import { idsOf, mail, message, messages, want } from './broker-on-sqs.ts';
import type { Says } from './says.ts';

const briefly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const unknown = { tenant: 'acme', queue: 'unknown' };

export function failures(says: Says): void {
  says('if SQS refuses one message of a batch, only that message fails', async (site) => {
    const broker = await site.open();
    site.front.faults.entry = (_, entry) =>
      String(entry.MessageGroupId) === 'task-1'
        ? { SenderFault: false, Code: 'InternalError', Message: 'try again' }
        : undefined;
    const [first, second, third] = await broker.send(messages(3));
    expect([first, third]).toEqual([true, true]);
    expect(second).toBeInstanceOf(HoldfastError);
    expect(second).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED', retryable: true });
    expect(idsOf(await broker.receive([mail], want()))).toEqual(['task-0', 'task-2']);
  });

  says(
    'hiding or deleting a batch of messages returns false for the message that SQS refused, and true for the others',
    async (site) => {
      const broker = await site.open();
      await broker.send(messages(3));
      const received = await broker.receive([mail], want());
      site.front.faults.entry = (_, entry) =>
        entry.Id === '1' ? { SenderFault: false, Code: 'InternalError', Message: 'try again' } : undefined;
      expect(
        await broker.changeVisibility(received.map(({ receiptHandle }) => ({ receiptHandle, ms: 5_000 }))),
      ).toEqual([true, false, true]);
      expect(await broker.delete(received.map((delivery) => delivery.receiptHandle))).toEqual([
        true,
        false,
        true,
      ]);
      delete site.front.faults.entry;
      await site.clock.advance(32_000);
      expect(idsOf(await broker.receive([mail], want()))).toEqual(['task-1']);
    },
  );

  says(
    'a receipt handle used for a task of another queue does nothing and causes no call to SQS',
    async (site) => {
      const broker = await site.open();
      await broker.send([message('a')]);
      const [delivery] = await broker.receive([mail], want());
      const receiptHandle = delivery?.receiptHandle ?? '';
      const other = { tenant: 'other', queue: mail.queue };
      const madeUp = encodeReceiptHandle({ queue: other, level: 'normal', receivedAtMs: 1, receipt: 'x' });
      site.front.forget();
      expect(await broker.delete([receiptHandle], other)).toEqual([false]);
      expect(await broker.changeVisibility([{ receiptHandle, ms: 60_000 }], other)).toEqual([false]);
      expect(await broker.changeVisibility([{ receiptHandle: madeUp, ms: 60_000 }], mail)).toEqual([false]);
      expect(site.front.calls).toEqual([]);
      expect(await broker.delete([receiptHandle], mail)).toEqual([true]);
    },
  );

  says('the SDK repeats a send whose response was lost, and the message is delivered once', async (site) => {
    const broker = await site.open();
    let lost = 0;
    site.front.faults.loseAnswer = (action) => action === 'SendMessageBatch' && lost++ === 0;
    expect(await broker.send([message('a')])).toEqual([true]);
    expect(site.front.count('SendMessageBatch')).toBe(2);
    const [delivery, ...more] = await broker.receive([mail], want());
    expect(more).toEqual([]);
    await broker.delete([delivery?.receiptHandle ?? '']);
    expect(await broker.receive([mail], want())).toEqual([]);
  });

  says('a throttled call to SQS is retried by the AWS SDK, and by no other code', async (site) => {
    expect(await site.client.config.retryMode).toBe('standard');
    expect(await site.client.config.maxAttempts()).toBe(4);
    // This test limits the AWS SDK to two attempts of a call, since the SDK waits for seconds between attempts.
    const client = standInClient(site.standIn.endpoint, { maxAttempts: 2 });
    const broker = await site.open({ client });
    await broker.receive([mail], want());
    site.front.faults.call = () => ({ status: 400, type: 'RequestThrottled' });
    const [sent] = await broker.send([message('a')]);
    expect(sent).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY', retryable: true });
    expect((sent as HoldfastError).retryAfterMs).toBeGreaterThan(0);
    expect(site.front.count('SendMessageBatch')).toBe(2);
    delete site.front.faults.call;
    expect(await broker.send([message('a')])).toEqual([true]);
    expect(site.front.count('GetQueueUrl')).toBe(1);
    client.destroy();
  });

  says('the error for a Holdfast queue without an SQS queue names the Holdfast queue', async (site) => {
    const broker = await site.open();
    const [sent] = await broker.send([message('a', { queue: unknown })]);
    expect(sent).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
    expect(String(sent)).toContain("'unknown'");
    const error = await errorOf(broker.receive([unknown], want()));
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
    expect(error.help).toContain('holdfast aws init');
  });

  says(
    'a waiting receive call fails if none of its queues can be polled, and returns deliveries while at least one queue can be polled',
    async (site) => {
      const broker = await site.open();
      const error = await errorOf(broker.receive([unknown], want({ waitMs: 20_000 })));
      expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
      const waiting = broker.receive([unknown, mail], want({ waitMs: 20_000 }));
      await broker.send([message('a')]);
      expect(idsOf(await waiting)).toEqual(['a']);
    },
  );

  says(
    'if a call failed because the SQS queue did not exist, the next call finds the queue once it is created',
    async (site) => {
      const broker = await site.open();
      const [sent] = await broker.send([message('a', { queue: unknown })]);
      expect(sent).toMatchObject({ reason: 'QUEUE_UNKNOWN' });
      await createQueues(site.client, sqsQueuesOf(site.prefix, unknown));
      expect(await broker.send([message('a', { queue: unknown })])).toEqual([true]);
      expect(idsOf(await broker.receive([unknown], want()))).toEqual(['a']);
    },
  );

  says(
    'a waiting receive call does not fail because of a queue whose polls failed before but succeed again',
    async (site) => {
      const other = { tenant: 'acme', queue: 'other' };
      const broker = await site.open({}, [mail, other]);
      const away = await site.open();
      let failing = '';
      site.front.faults.call = (action, body) =>
        action === 'ReceiveMessage' && failing !== '' && String(body.QueueUrl).includes(failing)
          ? { status: 400, type: 'AccessDenied' }
          : undefined;
      const polled = async (times: number): Promise<void> => {
        for (let i = 0; i < 400 && site.front.count('ReceiveMessage') < times; i++) await briefly();
        expect(site.front.count('ReceiveMessage')).toBe(times);
      };
      const short = broker.receive([other], want({ waitMs: 1_000 }));
      await polled(1);
      failing = 'mail';
      const waiting = broker.receive([mail, other], want({ waitMs: 20_000 }));
      await polled(2);
      failing = '';
      await site.clock.advance(500);
      await polled(3);
      failing = 'other';
      await site.clock.advance(500);
      expect(await short).toEqual([]);
      await polled(4);
      await away.send([message('a')]);
      expect(idsOf(await waiting)).toEqual(['a']);
    },
  );

  says('a queue whose polls fail is polled less and less often', async (site) => {
    const broker = await site.open();
    site.front.faults.call = (action) =>
      action === 'ReceiveMessage' ? { status: 400, type: 'AccessDenied' } : undefined;
    // Like a worker's session, this loop waits a second after an error and receives again.
    const errors: unknown[] = [];
    const received: string[] = [];
    const loop = async (): Promise<void> => {
      while (received.length === 0 && !site.closing.signal.aborted) {
        try {
          received.push(...idsOf(await broker.receive([mail], want({ waitMs: 20_000 }))));
        } catch (error) {
          errors.push(error);
          await site.clock.sleep(1_000);
        }
      }
    };
    void loop();
    for (let i = 0; i < 120; i++) await site.clock.advance(1_000);
    expect(errors.length).toBeGreaterThan(5);
    expect(errors[0]).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
    expect(site.front.count('ReceiveMessage')).toBeLessThanOrEqual(12);
    delete site.front.faults.call;
    await broker.send([message('a')]);
    for (let i = 0; i < 60 && received.length === 0; i++) {
      await site.clock.advance(1_000);
      await briefly();
    }
    expect(received).toEqual(['a']);
  });

  says(
    'closing the broker ends waiting receive calls without an error, and later calls that write to SQS are rejected',
    async (site) => {
      const broker = await site.open();
      const waiting = broker.receive([mail], want({ waitMs: 20_000 }));
      const sending = broker.send([message('a')]);
      await broker.close();
      await broker.close();
      expect(await sending).toEqual([true]);
      const received = await waiting;
      expect(received.length).toBeLessThanOrEqual(1);
      for (const call of [broker.send([message('b')]), broker.changeVisibility([]), broker.delete([])]) {
        expect(await errorOf(call)).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_FAILED' });
      }
      expect(await broker.receive([mail], want({ waitMs: 20_000 }))).toEqual([]);
    },
  );
}
