import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const hers = { tenant: 'alice', queue: 'mail' };
const his = { tenant: 'bob', queue: 'mail' };

test('a bell that lies in another tenant’s queue gives nobody there the task, and is rung where it belongs', async () => {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = ({ tenant, queue }: typeof hers) =>
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
  await service.submit(hers, [item('k')], { notAfterMs: undefined });
  const [result] = await service.submit(his, [item('k')], { notAfterMs: undefined });
  if (result?.error !== undefined || result === undefined) throw new Error('not accepted');
  const [own] = await engine.broker.receive([his], {
    types: [{ type: 'note', maxVersion: 1 }],
    room: () => ({ tasks: 1, bytes: 1_000_000 }),
    waitMs: 0,
    signal: new AbortController().signal,
  });
  if (own === undefined) throw new Error('not sent');
  // Whoever may write to SQS moved it.
  await engine.broker.delete([own.receiptHandle]);
  await engine.broker.send([{ ...own.message, queue: hers, reason: 'due' }]);
  expect((await claim(hers)).map(({ tenant }) => tenant)).toEqual(['alice']);
  await settled();
  expect((await claim(his)).map(({ id }) => id)).toEqual([result.id]);
});
