import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { decodeMessage } from '../../../src/engines/aws/broker/message.ts';
import { memory } from '../../../src/engines/memory/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { createService } from '../../../src/service/create-service.ts';
import { keptLog } from '../../fixtures/listening.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { queue, Site, type StandIns, startStandIns } from './dead-letter-node.ts';

let standIns: StandIns;
beforeAll(async () => {
  standIns = await startStandIns();
});
afterAll(() => standIns.stop());

const minuteMs = 60_000;
const nothing = { examined: 0, kept: 0, dropped: 0, sent: 0, unreadable: 0, unreadableIds: [] };
const drained = (counts: Partial<typeof nothing>, isComplete = true) => ({
  ...queue,
  ...nothing,
  ...counts,
  isComplete,
});
const denied = answerOf(403, { __type: 'com.amazonaws.sqs#AccessDenied', message: 'not yours' });

async function die({ stage }: Site, key: string, lane?: string): Promise<void> {
  await stage.submit(key, { lane });
  await stage.settle(await stage.claim(key), 'fatal');
}

async function stateOf({ stage }: Site, key: string): Promise<string> {
  return (await stage.service.get(queue.tenant, stage.id(key), false)).snapshot.head.state;
}

describe('notices', () => {
  test('stay while their task is dead, at hand for the next drain', async () => {
    const site = await Site.open(standIns);
    await die(site, 'a');
    for (let i = 0; i < 2; i++) {
      expect(await site.drain()).toEqual(drained({ examined: 1, kept: 1 }));
      expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
    }
  });

  test('go once their task was redriven and has succeeded, or was cancelled', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await stage.service.updateQueue(queue, { onDead: 'hold' }, 'operator');
    await die(site, 'a');
    await stage.redrive('a');
    await stage.settle(await stage.claim('a'));
    await die(site, 'b', 'lane');
    await stage.cancel('b');
    await die(site, 'c');
    expect(await site.lying()).toEqual({ visible: 3, hidden: 0 });
    expect(await site.drain()).toEqual(drained({ examined: 3, kept: 1, dropped: 2 }));
    const left = (await site.takeOut(site.dead)).map((body) => decodeMessage(body, queue)?.id);
    expect(left).toEqual([stage.id('c')]);
    expect(await site.drain()).toEqual(drained({}));
  });

  test('of a task that runs again go too, and its worker is not disturbed', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await die(site, 'a');
    await stage.redrive('a');
    const held = await stage.claim('a');
    expect(await site.drain()).toEqual(drained({ examined: 1, sent: 1 }));
    expect(await stage.take(10)).toEqual([]);
    await stage.settle(held);
    expect(await stateOf(site, 'a')).toBe('succeeded');
  });

  test('all go that one task left by dying again and again, once it has succeeded', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await die(site, 'a');
    for (const outcome of ['fatal', 'fatal', 'succeeded'] as const) {
      await stage.redrive('a');
      await stage.settle(await stage.claim('a'), outcome);
    }
    expect(await site.lying()).toEqual({ visible: 3, hidden: 0 });
    expect(await site.drain()).toEqual(drained({ examined: 3, dropped: 3 }));
    expect(await site.lying()).toEqual({ visible: 0, hidden: 0 });
  });
});

describe('a live bell among dead letters', () => {
  test('is rung, and its task is worked on', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await site.submitUnreceived('a');
    expect(await stage.take(10)).toEqual([]);
    expect(await site.drain()).toEqual(drained({ examined: 1, sent: 1 }));
    expect(await site.lying()).toEqual({ visible: 0, hidden: 0 });
    await stage.settle(await stage.claim('a'));
    expect(await stateOf(site, 'a')).toBe('succeeded');
  });

  test('is kept where it cannot be rung, and rung by the next drain', async () => {
    const log = keptLog();
    const site = await Site.open(standIns, log);
    const { stage } = site;
    await site.submitUnreceived('a');
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => (operation === 'SendMessageBatch' ? denied : undefined),
    });
    expect(await site.drain()).toEqual(drained({ examined: 1, kept: 1 }));
    expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
    expect(log.lines).toMatchObject([{ task_id: stage.id('a'), err: { reason: 'STORE_FAILED' } }]);
    standIns.sqs.hook({});
    expect(await site.drain()).toEqual(drained({ examined: 1, sent: 1 }));
  });

  test('was rung before it is dropped, so that no crash between loses it', async () => {
    const site = await Site.open(standIns);
    await site.submitUnreceived('a');
    standIns.sqs.restartCount();
    await site.drain();
    const changes = standIns.sqs.calls
      .filter(({ operation }) => /^(Send|Delete)/.test(operation))
      .map(({ operation, resources: [name] }) => `${operation} ${name === site.dead ? 'dead' : 'bells'}`);
    expect(changes).toEqual(['SendMessageBatch bells', 'DeleteMessageBatch dead']);
  });

  test('is not rung before its time where its task waits for one, nor before its turn in a lane', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await stage.submit('a', { lane: 'lane' });
    await stage.submit('b', { lane: 'lane' });
    await stage.submit('c', { options: { delayMs: minuteMs } });
    const [body = ''] = await site.takeOut(site.sqsQueue);
    for (const key of ['b', 'c']) await site.put(site.dead, body.replace(stage.id('a'), stage.id(key)), key);
    expect(await site.drain()).toEqual(drained({ examined: 2, dropped: 2 }));
    expect(await site.lying(site.sqsQueue)).toEqual({ visible: 0, hidden: 0 });
    await site.put(site.sqsQueue, body, 'a');
    for (const key of ['a', 'b']) await stage.settle(await stage.claim(key));
    await stage.move(2 * minuteMs);
    await stage.sweep();
    await stage.settle(await stage.claim('c'));
  });

  test('of a task that is not there is kept for ten minutes, since it may be on its way', async () => {
    const site = await Site.open(standIns);
    await site.stage.submit('a');
    const [body = ''] = await site.takeOut(site.sqsQueue);
    await site.put(site.dead, body.replace(site.stage.id('a'), 'AAAAAAAAAAAAAAAAAAAAAA.mjuohs00'));
    expect(await site.drain()).toEqual(drained({ examined: 1, kept: 1 }));
    await site.stage.move(11 * minuteMs);
    expect(await site.drain()).toEqual(drained({ examined: 1, dropped: 1 }));
  });
});

describe('a drain', () => {
  test('tells what is none of ours and leaves it, or drops it where it is told to', async () => {
    const site = await Site.open(standIns);
    const ids = [await site.put(site.dead, 'not ours'), await site.put(site.dead, '[2,"to come"]')];
    const told = await site.drain();
    expect({ ...told, unreadableIds: told.unreadableIds.toSorted() }).toEqual(
      drained({ examined: 2, unreadable: 2, unreadableIds: ids.toSorted() as never }),
    );
    expect(await site.lying()).toEqual({ visible: 2, hidden: 0 });
    expect(await site.drain({ dropUnreadable: true, dryRun: true })).toMatchObject({ unreadable: 2 });
    expect(await site.lying()).toEqual({ visible: 2, hidden: 0 });
    expect(await site.drain({ dropUnreadable: true })).toMatchObject({ examined: 2, unreadable: 2, kept: 0 });
    expect(await site.lying()).toEqual({ visible: 0, hidden: 0 });
  });

  test('keeps what tells of a damaged task, names it in the log, and goes on with the others', async () => {
    const log = keptLog();
    const site = await Site.open(standIns, log);
    const { stage } = site;
    for (const key of ['a', 'b', 'c']) {
      await die(site, key);
      await stage.redrive(key);
      await stage.settle(await stage.claim(key));
    }
    await site.damage('b');
    expect(await site.drain()).toEqual(drained({ examined: 3, kept: 1, dropped: 2 }));
    expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
    expect(log.lines).toMatchObject([
      { level: 'error', task_id: stage.id('b'), err: { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' } },
    ]);
  });

  test('that is dry changes nothing, and says what it would do', async () => {
    const site = await Site.open(standIns);
    const { stage } = site;
    await die(site, 'a');
    await stage.redrive('a');
    await stage.settle(await stage.claim('a'));
    await die(site, 'b');
    await site.submitUnreceived('c');
    const would = drained({ examined: 3, kept: 1, dropped: 1, sent: 1 });
    expect(await site.drain({ dryRun: true })).toEqual(would);
    expect(await site.lying()).toEqual({ visible: 3, hidden: 0 });
    expect(await stage.take(10)).toEqual([]);
    expect(await site.drain()).toEqual(would);
  });

  test('looks at no more than it was asked to, and says that there may be more', async () => {
    const site = await Site.open(standIns);
    for (let i = 0; i < 45; i++) await site.put(site.dead, `no. ${i}`, `${i}`);
    const { unreadableIds, ...told } = await site.drain({ limit: 43 });
    expect(told).toMatchObject({ examined: 43, unreadable: 43, isComplete: false });
    expect(new Set(unreadableIds).size).toBe(43);
    expect(await site.lying()).toEqual({ visible: 45, hidden: 0 });
    expect(await site.drain({ limit: 46 })).toMatchObject({ examined: 45, isComplete: true });
  });

  test('that is interrupted gives back at once what it holds', async () => {
    const site = await Site.open(standIns);
    for (let i = 0; i < 50; i++) await site.put(site.dead, `no. ${i}`, `${i}`);
    const interrupted = new AbortController();
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => {
        if (operation === 'ReceiveMessage') interrupted.abort();
        return undefined;
      },
    });
    const told = await site.drain({ signal: interrupted.signal });
    expect(told).toMatchObject({ examined: 40, unreadable: 40, isComplete: false });
    expect(await site.lying()).toEqual({ visible: 50, hidden: 0 });
  });

  test('that takes longer than they are hidden ends instead of going round, and counts none twice', async () => {
    const site = await Site.open(standIns);
    for (let i = 0; i < 50; i++) await site.put(site.dead, `no. ${i}`, `${i}`);
    let receiveCount = 0;
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => {
        // The first of the second round.
        if (operation === 'ReceiveMessage' && ++receiveCount === 5) standIns.move(16 * minuteMs);
        return undefined;
      },
    });
    const { unreadableIds, ...told } = await site.drain();
    expect(told).toMatchObject({ unreadable: unreadableIds.length, isComplete: false });
    expect(new Set(unreadableIds).size).toBe(told.examined);
    expect(await site.lying()).toEqual({ visible: 50, hidden: 0 });
  });

  test('that fails gives back too; what cannot be given back comes back by itself', async () => {
    const log = keptLog();
    const site = await Site.open(standIns, log);
    await site.submitUnreceived('a');
    const notFound = answerOf(400, {
      __type: 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException',
      message: 'no',
    });
    standIns.dynamo.hook({ beforeRequest: () => notFound });
    await expect(site.drain()).rejects.toMatchObject({ reason: expect.any(String) });
    expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => (operation.startsWith('ChangeMessage') ? denied : undefined),
    });
    await expect(site.drain()).rejects.toMatchObject({ reason: expect.any(String) });
    standIns.dynamo.hook({});
    standIns.sqs.hook({});
    expect(await site.lying()).toEqual({ visible: 0, hidden: 1 });
    expect(log.lines).toMatchObject([{ level: 'warn', left: 1, hidden_ms: 15 * minuteMs }]);
    await site.stage.move(15 * minuteMs);
    expect(await site.drain()).toEqual(drained({ examined: 1, sent: 1 }));
  });

  test('takes every queue of the tenant where none is named, and knows all names before it begins', async () => {
    const site = await Site.open(standIns);
    await die(site, 'a');
    expect(await site.drain({ queues: [] })).toEqual(drained({ examined: 1, kept: 1 }));
    standIns.sqs.restartCount();
    await expect(site.drain({ queues: [queue.queue, 'pionts'] })).rejects.toMatchObject({
      reason: 'QUEUE_UNKNOWN',
      help: expect.stringContaining("Did you mean 'points'?"),
    });
    await expect(site.drain({ queues: [], tenant: 'nobody' })).rejects.toMatchObject({
      reason: 'QUEUE_UNKNOWN',
      message: "Tenant 'nobody' has no queues.",
    });
    expect(standIns.sqs.calls).toEqual([]);
  });

  test('is refused by a store that has no dead-letter queues', async () => {
    const clock = systemClock();
    const engine = memory({ clock });
    const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
    const { service } = await createService(options);
    const { signal } = new AbortController();
    const asked = { tenant: 'default', queues: [], dryRun: false, dropUnreadable: false, limit: 1, signal };
    const refused = await service.drainDeadLetters(asked).catch((error: HoldfastError) => error);
    expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_BUILT' });
  });
});
