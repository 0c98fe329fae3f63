import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { decodeMessage } from '../../../src/engines/aws/broker/message.ts';
import { memory } from '../../../src/engines/memory/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { createService } from '../../../src/service/create-service.ts';
import { recordingLog } from '../../fixtures/listening-node.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { DeadLetterNode, queue, type StandIns, startStandIns } from './dead-letter-node.ts';

let standIns: StandIns;
beforeAll(async () => {
  standIns = await startStandIns();
});
afterAll(() => standIns.stop());

const minuteMs = 60_000;
const nothing = { examined: 0, kept: 0, dropped: 0, resent: 0, unreadable: 0, unreadableIds: [] };
const drained = (counts: Partial<typeof nothing>, isComplete = true) => ({
  ...queue,
  ...nothing,
  ...counts,
  isComplete,
});
const denied = answerOf(403, { __type: 'com.amazonaws.sqs#AccessDenied', message: 'not yours' });

async function die({ stage }: DeadLetterNode, key: string, lane?: string): Promise<void> {
  await stage.submit(key, { lane });
  await stage.settle(await stage.claim(key), 'fatal');
}

async function stateOf({ stage }: DeadLetterNode, key: string): Promise<string> {
  return (await stage.service.get(queue.tenant, stage.id(key), false)).snapshot.head.state;
}

describe('a drain of dead-letter notices', () => {
  test('keeps a notice in the dead-letter queue while its task is dead', async () => {
    const node = await DeadLetterNode.open(standIns);
    await die(node, 'a');
    for (let i = 0; i < 2; i++) {
      expect(await node.drain()).toEqual(drained({ examined: 1, kept: 1 }));
      expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
    }
  });

  test('drops a notice if its task was redriven and succeeded, or was cancelled', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await stage.service.updateQueue(queue, { onDead: 'hold' }, 'operator');
    await die(node, 'a');
    await stage.redrive('a');
    await stage.settle(await stage.claim('a'));
    await die(node, 'b', 'lane');
    await stage.cancel('b');
    await die(node, 'c');
    expect(await node.messageCounts()).toEqual({ visible: 3, hidden: 0 });
    expect(await node.drain()).toEqual(drained({ examined: 3, kept: 1, dropped: 2 }));
    const left = (await node.takeOut(node.sqsDeadQueue)).map((body) => decodeMessage(body, queue)?.id);
    expect(left).toEqual([stage.id('c')]);
    expect(await node.drain()).toEqual(drained({}));
  });

  test('drops the notice of a task that runs again, and does not disturb the worker that runs the task', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await die(node, 'a');
    await stage.redrive('a');
    const held = await stage.claim('a');
    expect(await node.drain()).toEqual(drained({ examined: 1, resent: 1 }));
    expect(await stage.take(10)).toEqual([]);
    await stage.settle(held);
    expect(await stateOf(node, 'a')).toBe('succeeded');
  });

  test('drops all notices of a task that died several times and then succeeded', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await die(node, 'a');
    for (const outcome of ['fatal', 'fatal', 'succeeded'] as const) {
      await stage.redrive('a');
      await stage.settle(await stage.claim('a'), outcome);
    }
    expect(await node.messageCounts()).toEqual({ visible: 3, hidden: 0 });
    expect(await node.drain()).toEqual(drained({ examined: 3, dropped: 3 }));
    expect(await node.messageCounts()).toEqual({ visible: 0, hidden: 0 });
  });
});

describe('a drain that finds a dispatch message among the dead letters', () => {
  test('sends the message again if its task is unfinished, and the task is run', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await node.submitUnreceived('a');
    expect(await stage.take(10)).toEqual([]);
    expect(await node.drain()).toEqual(drained({ examined: 1, resent: 1 }));
    expect(await node.messageCounts()).toEqual({ visible: 0, hidden: 0 });
    await stage.settle(await stage.claim('a'));
    expect(await stateOf(node, 'a')).toBe('succeeded');
  });

  test('keeps the message if it cannot be sent again, and the next drain sends it', async () => {
    const log = recordingLog();
    const node = await DeadLetterNode.open(standIns, log);
    const { stage } = node;
    await node.submitUnreceived('a');
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => (operation === 'SendMessageBatch' ? denied : undefined),
    });
    expect(await node.drain()).toEqual(drained({ examined: 1, kept: 1 }));
    expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
    expect(log.lines).toMatchObject([{ task_id: stage.id('a'), err: { reason: 'STORE_FAILED' } }]);
    standIns.sqs.hook({});
    expect(await node.drain()).toEqual(drained({ examined: 1, resent: 1 }));
  });

  test('sends the message again before dropping it, so that a crash in between does not lose the message', async () => {
    const node = await DeadLetterNode.open(standIns);
    await node.submitUnreceived('a');
    standIns.sqs.restartCount();
    await node.drain();
    const changes = standIns.sqs.calls
      .filter(({ operation }) => /^(Send|Delete)/.test(operation))
      .map(
        ({ operation, resources: [name] }) => `${operation} ${name === node.sqsDeadQueue ? 'dead' : 'live'}`,
      );
    expect(changes).toEqual(['SendMessageBatch live', 'DeleteMessageBatch dead']);
  });

  test('sends no message for a task that waits for its scheduled start time or for its turn in a lane', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await stage.submit('a', { lane: 'lane' });
    await stage.submit('b', { lane: 'lane' });
    await stage.submit('c', { options: { delayMs: minuteMs } });
    const [body = ''] = await node.takeOut(node.sqsQueue);
    for (const key of ['b', 'c'])
      await node.put(node.sqsDeadQueue, body.replace(stage.id('a'), stage.id(key)), key);
    expect(await node.drain()).toEqual(drained({ examined: 2, dropped: 2 }));
    expect(await node.messageCounts(node.sqsQueue)).toEqual({ visible: 0, hidden: 0 });
    await node.put(node.sqsQueue, body, 'a');
    for (const key of ['a', 'b']) await stage.settle(await stage.claim(key));
    await stage.move(2 * minuteMs);
    await stage.sweep();
    await stage.settle(await stage.claim('c'));
  });

  test('keeps the message of an unknown task for ten minutes, because the task may not be written yet', async () => {
    const node = await DeadLetterNode.open(standIns);
    await node.stage.submit('a');
    const [body = ''] = await node.takeOut(node.sqsQueue);
    await node.put(node.sqsDeadQueue, body.replace(node.stage.id('a'), 'AAAAAAAAAAAAAAAAAAAAAA.mjuohs00'));
    expect(await node.drain()).toEqual(drained({ examined: 1, kept: 1 }));
    await node.stage.move(11 * minuteMs);
    expect(await node.drain()).toEqual(drained({ examined: 1, dropped: 1 }));
  });
});

describe('a drain of a dead-letter queue', () => {
  test('reports messages that Holdfast did not write and keeps them, or drops them with the option dropUnreadable', async () => {
    const node = await DeadLetterNode.open(standIns);
    const ids = [
      await node.put(node.sqsDeadQueue, 'not ours'),
      await node.put(node.sqsDeadQueue, '[2,"to come"]'),
    ];
    const result = await node.drain();
    expect({ ...result, unreadableIds: result.unreadableIds.toSorted() }).toEqual(
      drained({ examined: 2, unreadable: 2, unreadableIds: ids.toSorted() as never }),
    );
    expect(await node.messageCounts()).toEqual({ visible: 2, hidden: 0 });
    expect(await node.drain({ dropUnreadable: true, dryRun: true })).toMatchObject({ unreadable: 2 });
    expect(await node.messageCounts()).toEqual({ visible: 2, hidden: 0 });
    expect(await node.drain({ dropUnreadable: true })).toMatchObject({ examined: 2, unreadable: 2, kept: 0 });
    expect(await node.messageCounts()).toEqual({ visible: 0, hidden: 0 });
  });

  test('keeps the notice of a damaged task, logs the task, and continues with the other notices', async () => {
    const log = recordingLog();
    const node = await DeadLetterNode.open(standIns, log);
    const { stage } = node;
    for (const key of ['a', 'b', 'c']) {
      await die(node, key);
      await stage.redrive(key);
      await stage.settle(await stage.claim(key));
    }
    await node.damage('b');
    expect(await node.drain()).toEqual(drained({ examined: 3, kept: 1, dropped: 2 }));
    expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
    expect(log.lines).toMatchObject([
      { level: 'error', task_id: stage.id('b'), err: { code: 'DATA_LOSS', reason: 'STORE_CORRUPT' } },
    ]);
  });

  test('changes nothing in a dry run and reports what it would do', async () => {
    const node = await DeadLetterNode.open(standIns);
    const { stage } = node;
    await die(node, 'a');
    await stage.redrive('a');
    await stage.settle(await stage.claim('a'));
    await die(node, 'b');
    await node.submitUnreceived('c');
    const would = drained({ examined: 3, kept: 1, dropped: 1, resent: 1 });
    expect(await node.drain({ dryRun: true })).toEqual(would);
    expect(await node.messageCounts()).toEqual({ visible: 3, hidden: 0 });
    expect(await stage.take(10)).toEqual([]);
    expect(await node.drain()).toEqual(would);
  });

  test('examines no more messages than its limit and reports that there may be more', async () => {
    const node = await DeadLetterNode.open(standIns);
    for (let i = 0; i < 45; i++) await node.put(node.sqsDeadQueue, `no. ${i}`, `${i}`);
    const { unreadableIds, ...result } = await node.drain({ limit: 43 });
    expect(result).toMatchObject({ examined: 43, unreadable: 43, isComplete: false });
    expect(new Set(unreadableIds).size).toBe(43);
    expect(await node.messageCounts()).toEqual({ visible: 45, hidden: 0 });
    expect(await node.drain({ limit: 46 })).toMatchObject({ examined: 45, isComplete: true });
  });

  test('makes the messages that it received visible again at once if it is interrupted', async () => {
    const node = await DeadLetterNode.open(standIns);
    for (let i = 0; i < 50; i++) await node.put(node.sqsDeadQueue, `no. ${i}`, `${i}`);
    const interrupted = new AbortController();
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => {
        if (operation === 'ReceiveMessage') interrupted.abort();
        return undefined;
      },
    });
    const result = await node.drain({ signal: interrupted.signal });
    expect(result).toMatchObject({ examined: 40, unreadable: 40, isComplete: false });
    expect(await node.messageCounts()).toEqual({ visible: 50, hidden: 0 });
  });

  test('ends and counts no message twice if it takes longer than the visibility timeout', async () => {
    const node = await DeadLetterNode.open(standIns);
    for (let i = 0; i < 50; i++) await node.put(node.sqsDeadQueue, `no. ${i}`, `${i}`);
    let receiveCount = 0;
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => {
        // The fifth receive call is the first one of the drain's second round of receive calls.
        if (operation === 'ReceiveMessage' && ++receiveCount === 5) standIns.moveClock(16 * minuteMs);
        return undefined;
      },
    });
    const { unreadableIds, ...result } = await node.drain();
    expect(result).toMatchObject({ unreadable: unreadableIds.length, isComplete: false });
    expect(new Set(unreadableIds).size).toBe(result.examined);
    expect(await node.messageCounts()).toEqual({ visible: 50, hidden: 0 });
  });

  test('makes the messages that it received visible again if it fails; if SQS refuses that, the messages reappear after the visibility timeout', async () => {
    const log = recordingLog();
    const node = await DeadLetterNode.open(standIns, log);
    await node.submitUnreceived('a');
    const notFound = answerOf(400, {
      __type: 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException',
      message: 'no',
    });
    standIns.dynamo.hook({ beforeRequest: () => notFound });
    await expect(node.drain()).rejects.toMatchObject({ reason: expect.any(String) });
    expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
    standIns.sqs.hook({
      beforeRequest: (_, { operation }) => (operation.startsWith('ChangeMessage') ? denied : undefined),
    });
    await expect(node.drain()).rejects.toMatchObject({ reason: expect.any(String) });
    standIns.dynamo.hook({});
    standIns.sqs.hook({});
    expect(await node.messageCounts()).toEqual({ visible: 0, hidden: 1 });
    expect(log.lines).toMatchObject([{ level: 'warn', left: 1, hidden_ms: 15 * minuteMs }]);
    await node.stage.move(15 * minuteMs);
    expect(await node.drain()).toEqual(drained({ examined: 1, resent: 1 }));
  });

  test('covers all queues of the tenant if no queue is named, and checks every queue name before it begins', async () => {
    const node = await DeadLetterNode.open(standIns);
    await die(node, 'a');
    expect(await node.drain({ queues: [] })).toEqual(drained({ examined: 1, kept: 1 }));
    standIns.sqs.restartCount();
    await expect(node.drain({ queues: [queue.queue, 'pionts'] })).rejects.toMatchObject({
      reason: 'QUEUE_UNKNOWN',
      help: expect.stringContaining("Did you mean 'points'?"),
    });
    await expect(node.drain({ queues: [], tenant: 'nobody' })).rejects.toMatchObject({
      reason: 'QUEUE_UNKNOWN',
      message: "Tenant 'nobody' has no queues.",
    });
    expect(standIns.sqs.calls).toEqual([]);
  });

  test('is refused by a store without dead-letter queues', async () => {
    const clock = systemClock();
    const engine = memory({ clock });
    const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
    const { service } = await createService(options);
    const { signal } = new AbortController();
    const request = { tenant: 'default', queues: [], dryRun: false, dropUnreadable: false, limit: 1, signal };
    const refused = await service.drainDeadLetters(request).catch((error: HoldfastError) => error);
    expect(refused).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NOT_BUILT' });
  });
});
