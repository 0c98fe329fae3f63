import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessage } from '../../../src/engines/aws/broker/message.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { recordingLog } from '../../fixtures/listening-node.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { DeadLetterNode, leaseExpiredMs, queue, type StandIns, startStandIns } from './dead-letter-node.ts';

let standIns: StandIns;
beforeAll(async () => {
  standIns = await startStandIns();
});
afterAll(() => standIns.stop());

const dayMs = 86_400_000;
const never = new AbortController().signal;
const once = { retry: { maxAttempts: 1 } };

/** The ways in which a task dies, each with the steps by which task `a` dies in that way. */
const deaths: Readonly<Record<string, (node: DeadLetterNode) => Promise<void>>> = {
  'by a fatal error': async ({ stage }) => {
    await stage.submit('a');
    await stage.settle(await stage.claim('a'), 'fatal');
  },
  'by the failure of its last attempt': async ({ stage }) => {
    await stage.submit('a', { options: once });
    await stage.settle(await stage.claim('a'), 'failed');
  },
  'by an expired lease in its last attempt': async ({ stage }) => {
    await stage.submit('a', { options: once });
    await stage.claim('a');
    await stage.move(leaseExpiredMs);
    expect(await stage.take(1)).toEqual([]);
  },
  'by a deadline that passed while it waited': async ({ stage }) => {
    await stage.submit('a', { options: { deadlineAtMs: stage.clock.now() + 1_000 } });
    await stage.move(2_000);
    await stage.sweep();
  },
  'by the end of its lifetime': async ({ stage }) => {
    await stage.submit('a');
    await stage.move(14 * dayMs + 120_000);
    await reconcile(stage.running.context, never);
  },
  'in a lane that continues': async ({ stage }) => {
    await stage.submit('a', { lane: 'lane' });
    await stage.submit('b', { lane: 'lane' });
    await stage.settle(await stage.claim('a'), 'fatal');
    await stage.settle(await stage.claim('b'));
  },
};

test.each(Object.entries(deaths))('a task that dies %s gets one dead-letter notice', async (_, die) => {
  const node = await DeadLetterNode.open(standIns);
  const { stage } = node;
  await die(node);
  await stage.running.settled();
  await stage.sweep();
  const { head } = (await stage.service.get(queue.tenant, stage.id('a'), false)).snapshot;
  expect(head.state).toBe('dead');
  const notices = (await node.takeOut(node.sqsDeadQueue)).map((body) => decodeMessage(body, queue));
  expect(notices).toEqual([
    expect.objectContaining({ id: stage.id('a'), version: head.version, reason: 'dead', priority: 'normal' }),
  ]);
});

test('a task that succeeds or is cancelled gets no dead-letter notice, and a dead task that is cancelled gets no second one', async () => {
  const node = await DeadLetterNode.open(standIns);
  const { stage } = node;
  await stage.running.service.updateQueue(queue, { onDead: 'hold' }, 'operator');
  await stage.submit('a');
  await stage.settle(await stage.claim('a'));
  await stage.submit('b');
  await stage.cancel('b');
  await stage.submit('c', { lane: 'lane' });
  await stage.settle(await stage.claim('c'), 'fatal');
  expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
  await stage.cancel('c');
  expect(await node.messageCounts()).toEqual({ visible: 1, hidden: 0 });
});

test('a task that dies again gets another dead-letter notice; a settlement that a worker repeats causes none', async () => {
  const node = await DeadLetterNode.open(standIns);
  const { stage } = node;
  await stage.submit('a');
  const first = await stage.claim('a');
  await stage.settle(first, 'fatal');
  await stage.settle(first, 'fatal');
  await stage.redrive('a');
  await stage.settle(await stage.claim('a'), 'fatal');
  const notices = (await node.takeOut(node.sqsDeadQueue)).map((body) => decodeMessage(body, queue)?.version);
  expect(notices).toEqual([3, 6]);
});

test('a dead-letter notice that cannot be sent is logged; the settlement succeeds and the task is listed as dead', async () => {
  const log = recordingLog();
  const node = await DeadLetterNode.open(standIns, log);
  const { stage } = node;
  await stage.submit('a');
  const held = await stage.claim('a');
  const denied = answerOf(403, { __type: 'com.amazonaws.sqs#AccessDenied', message: 'not yours' });
  standIns.sqs.hook({
    beforeRequest: (_, { resources, operation }) =>
      operation === 'SendMessageBatch' && resources.includes(node.sqsDeadQueue) ? denied : undefined,
  });
  await stage.settle(held, 'fatal');
  const dead = await stage.service.list({ ...queue, state: 'dead' }, { limit: 10, cursor: undefined });
  expect(dead.items.map(({ id }) => id)).toEqual([stage.id('a')]);
  expect(await node.messageCounts()).toEqual({ visible: 0, hidden: 0 });
  expect(log.lines).toMatchObject([
    {
      level: 'warn',
      task_id: stage.id('a'),
      queue: queue.queue,
      err: { reason: 'STORE_FAILED' },
      message: 'could not publish a dead-letter notice; the task is still listed as dead',
    },
  ]);
});

test('a dead-letter notice that an SQS redrive moves back to the SQS queue is deleted if its task is dead, and lets a worker claim the task if the task is waiting', async () => {
  const node = await DeadLetterNode.open(standIns);
  const { stage } = node;
  for (const key of ['a', 'b']) {
    await stage.submit(key);
    await stage.settle(await stage.claim(key), 'fatal');
  }
  const notices = await node.takeOut(node.sqsDeadQueue);
  expect(notices).toHaveLength(2);
  await stage.redrive('b');
  // Removes the dispatch message of the redrive, so that only the dead-letter notice is left.
  await node.takeOut(node.sqsQueue);
  for (const notice of notices) await node.put(node.sqsQueue, notice, decodeMessage(notice, queue)?.id);
  const [claimed, ...others] = await stage.take(10);
  expect([claimed?.key, others]).toEqual(['b', []]);
  await stage.running.settled();
  expect(await node.messageCounts(node.sqsQueue)).toEqual({ visible: 0, hidden: 1 });
});
