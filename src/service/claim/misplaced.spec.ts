import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const alice = { tenant: 'alice', queue: 'mail' };
const bob = { tenant: 'bob', queue: 'mail' };

test('a dispatch message in another tenant’s queue does not give its task to that tenant, and is sent to the task’s own queue', async () => {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = ({ tenant, queue }: typeof alice) =>
    service.claim({
      tenant,
      workerName: 'w',
      workerId: tenant,
      queues: [queue],
      types: [{ type: 'note', maxVersion: 1 }],
      maxTasks: 10,
      waitMs: 0,
      requestId: '',
      signal: new AbortController().signal,
    });
  await service.submit(alice, [item('k')], { notAfterMs: undefined });
  const [result] = await service.submit(bob, [item('k')], { notAfterMs: undefined });
  if (result?.error !== undefined || result === undefined) throw new Error('not accepted');
  const [own] = await engine.broker.receive([bob], {
    types: [{ type: 'note', maxVersion: 1 }],
    room: () => ({ tasks: 1, bytes: 1_000_000 }),
    waitMs: 0,
    signal: new AbortController().signal,
  });
  if (own === undefined) throw new Error('not sent');
  // A user with access to SQS moves the message to another tenant's queue.
  await engine.broker.delete([own.receiptHandle]);
  await engine.broker.send([{ ...own.message, queue: alice, reason: 'due' }]);
  expect((await claim(alice)).map(({ tenant }) => tenant)).toEqual(['alice']);
  await settled();
  expect((await claim(bob)).map(({ id }) => id)).toEqual([result.id]);
});
