import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessage } from '../../../src/engines/aws/broker/message.ts';
import { reconcile } from '../../../src/runtime/reconcile.ts';
import { keptLog } from '../../fixtures/listening.ts';
import { answerOf } from '../../stand-ins/proxy/call.ts';
import { leaseExpiredMs, queue, Site, type StandIns, startStandIns } from './dead-letter-node.ts';

let standIns: StandIns;
beforeAll(async () => {
  standIns = await startStandIns();
});
afterAll(() => standIns.stop());

const dayMs = 86_400_000;
const never = new AbortController().signal;
const once = { retry: { maxAttempts: 1 } };

/** How the task `a` comes to its death. */
const deaths: Readonly<Record<string, (site: Site) => Promise<void>>> = {
  'by an error that is never right': async ({ stage }) => {
    await stage.submit('a');
    await stage.settle(await stage.claim('a'), 'fatal');
  },
  'by the failure of its last attempt': async ({ stage }) => {
    await stage.submit('a', { options: once });
    await stage.settle(await stage.claim('a'), 'failed');
  },
  'by a worker that is gone, in its last attempt': async ({ stage }) => {
    await stage.submit('a', { options: once });
    await stage.claim('a');
    await stage.move(leaseExpiredMs);
    expect(await stage.take(1)).toEqual([]);
  },
  'by its deadline, which passed while it waited': async ({ stage }) => {
    await stage.submit('a', { options: { deadlineAtMs: stage.clock.now() + 1_000 } });
    await stage.move(2_000);
    await stage.sweep();
  },
  'by its lifetime': async ({ stage }) => {
    await stage.submit('a');
    await stage.move(14 * dayMs + 120_000);
    await reconcile(stage.running.context, never);
  },
  'in a lane that goes on': async ({ stage }) => {
    await stage.submit('a', { lane: 'lane' });
    await stage.submit('b', { lane: 'lane' });
    await stage.settle(await stage.claim('a'), 'fatal');
    await stage.settle(await stage.claim('b'));
  },
};

test.each(Object.entries(deaths))('a death %s has one notice', async (_, die) => {
  const site = await Site.open(standIns);
  const { stage } = site;
  await die(site);
  await stage.running.settled();
  await stage.sweep();
  const { head } = (await stage.service.get(queue.tenant, stage.id('a'), false)).snapshot;
  expect(head.state).toBe('dead');
  const notices = (await site.takeOut(site.dead)).map((body) => decodeMessage(body, queue));
  expect(notices).toEqual([
    expect.objectContaining({ id: stage.id('a'), version: head.version, reason: 'dead', priority: 'normal' }),
  ]);
});

test('no other end has one, nor has the skip of a dead task', async () => {
  const site = await Site.open(standIns);
  const { stage } = site;
  await stage.running.service.updateQueue(queue, { onDead: 'hold' }, 'operator');
  await stage.submit('a');
  await stage.settle(await stage.claim('a'));
  await stage.submit('b');
  await stage.cancel('b');
  await stage.submit('c', { lane: 'lane' });
  await stage.settle(await stage.claim('c'), 'fatal');
  expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
  await stage.cancel('c');
  expect(await site.lying()).toEqual({ visible: 1, hidden: 0 });
});

test('a task that dies again has another one; a worker that repeats its outcome brings none', async () => {
  const site = await Site.open(standIns);
  const { stage } = site;
  await stage.submit('a');
  const first = await stage.claim('a');
  await stage.settle(first, 'fatal');
  await stage.settle(first, 'fatal');
  await stage.redrive('a');
  await stage.settle(await stage.claim('a'), 'fatal');
  const notices = (await site.takeOut(site.dead)).map((body) => decodeMessage(body, queue)?.version);
  expect(notices).toEqual([3, 6]);
});

test('a notice that cannot be sent fails nothing: it is told, and the list of dead tasks has it', async () => {
  const log = keptLog();
  const site = await Site.open(standIns, log);
  const { stage } = site;
  await stage.submit('a');
  const held = await stage.claim('a');
  const denied = answerOf(403, { __type: 'com.amazonaws.sqs#AccessDenied', message: 'not yours' });
  standIns.sqs.hook({
    beforeRequest: (_, { resources, operation }) =>
      operation === 'SendMessageBatch' && resources.includes(site.dead) ? denied : undefined,
  });
  await stage.settle(held, 'fatal');
  const dead = await stage.service.list({ ...queue, state: 'dead' }, { limit: 10, cursor: undefined });
  expect(dead.items.map(({ id }) => id)).toEqual([stage.id('a')]);
  expect(await site.lying()).toEqual({ visible: 0, hidden: 0 });
  expect(log.lines).toMatchObject([
    {
      level: 'warn',
      task_id: stage.id('a'),
      queue: queue.queue,
      err: { reason: 'STORE_FAILED' },
      message: 'no notice of a death came to the dead-letter queue; the list of dead tasks has it',
    },
  ]);
});

test('notices that SQS moved back are heard as bells: silenced for what is dead, claimed for what runs again', async () => {
  const site = await Site.open(standIns);
  const { stage } = site;
  for (const key of ['a', 'b']) {
    await stage.submit(key);
    await stage.settle(await stage.claim(key), 'fatal');
  }
  const notices = await site.takeOut(site.dead);
  expect(notices).toHaveLength(2);
  await stage.redrive('b');
  // The bell of the redrive is lost: the notice alone is there.
  await site.takeOut(site.sqsQueue);
  for (const notice of notices) await site.put(site.sqsQueue, notice, decodeMessage(notice, queue)?.id);
  const [claimed, ...others] = await stage.take(10);
  expect([claimed?.key, others]).toEqual(['b', []]);
  await stage.running.settled();
  expect(await site.lying(site.sqsQueue)).toEqual({ visible: 0, hidden: 1 });
});
