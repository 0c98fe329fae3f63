import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { decodeLease, encodeLease } from '../../core/codec/lease.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const alice = { tenant: 'alice', queue: 'mail' };
const bob = { tenant: 'bob', queue: 'mail' };
const hiddenMs = timing.leaseMs + timing.clockGuardMs;

/**
 * Claims one task of each of two tenants, Alice and Bob. `lease` is Alice's lease with the receipt handle of Bob's
 * delivery.
 */
async function claimForBoth() {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = async ({ tenant, queue }: typeof alice): Promise<Assignment | undefined> => {
    const request = { tenant, workerName: 'w', workerId: tenant, queues: [queue], maxTasks: 1, waitMs: 0 };
    const types = [{ type: 'note', maxVersion: 1 }];
    const { signal } = new AbortController();
    const [task] = await service.claim({ ...request, types, requestId: '', signal });
    return task;
  };
  for (const queue of [alice, bob]) await service.submit(queue, [item('k')], { notAfterMs: undefined });
  const [aliceTask, bobTask] = [await claim(alice), await claim(bob)];
  if (aliceTask === undefined || bobTask === undefined) expect.fail('not claimed');
  const { receiptHandle } = decodeLease(bobTask.lease);
  const lease = encodeLease({ ...decodeLease(aliceTask.lease), receiptHandle });
  return { clock, service, settled, claim, lease, bobTask };
}

test('a settlement with the receipt handle of another tenant’s delivery does not delete that delivery', async () => {
  const { clock, service, settled, claim, lease, bobTask } = await claimForBoth();
  const success = { lease, outcome: 'succeeded', result: undefined, message: '', errorType: '' } as const;
  const { results } = await service.settle([{ ...success, afterMs: undefined, begun: false }], {
    tenant: 'alice',
    sessionId: undefined,
  });
  expect(results).toEqual([{ state: 'succeeded', error: undefined }]);
  await settled();
  await clock.advance(hiddenMs);
  expect((await claim(bob))?.id).toBe(bobTask.id);
});

test('a heartbeat with the receipt handle of another tenant’s delivery does not hide that delivery longer', async () => {
  const { clock, service, settled, claim, lease, bobTask } = await claimForBoth();
  await clock.advance(20_000);
  const [answer] = await service.heartbeat([{ lease, begun: true, progress: undefined }], {
    tenant: 'alice',
  });
  expect(answer?.verdict).toBe('renewed');
  await settled();
  await clock.advance(hiddenMs - 20_000);
  expect((await claim(bob))?.id).toBe(bobTask.id);
});
