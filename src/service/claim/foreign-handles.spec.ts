import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { decodeLease, encodeLease } from '../../core/codec/lease.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const hers = { tenant: 'alice', queue: 'mail' };
const his = { tenant: 'bob', queue: 'mail' };
const heldMs = timing.leaseMs + timing.clockGuardMs;

/** Two tenants' tasks, claimed; and her lease with the handle of his, which she saw somewhere. */
async function given() {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const claim = async ({ tenant, queue }: typeof hers): Promise<Assignment | undefined> => {
    const request = { tenant, workerName: 'w', workerId: tenant, queues: [queue], maxTasks: 1, waitMs: 0 };
    const types = [{ type: 'note', maxVersion: 1 }];
    const { signal } = new AbortController();
    const [task] = await service.claim({ ...request, types, requestId: '', signal });
    return task;
  };
  for (const queue of [hers, his]) await service.submit(queue, [item('k')], { notAfterMs: undefined });
  const [her, him] = [await claim(hers), await claim(his)];
  if (her === undefined || him === undefined) expect.fail('not claimed');
  const { receiptHandle } = decodeLease(him.lease);
  const lease = encodeLease({ ...decodeLease(her.lease), receiptHandle });
  return { clock, service, settled, claim, lease, him };
}

test('who settles a task by the handle of another tenant’s bell silences nobody', async () => {
  const { clock, service, settled, claim, lease, him } = await given();
  const success = { lease, outcome: 'succeeded', result: undefined, message: '', errorType: '' } as const;
  const { results } = await service.settle([{ ...success, afterMs: undefined }], {
    tenant: 'alice',
    sessionId: undefined,
  });
  expect(results).toEqual([{ state: 'succeeded', error: undefined }]);
  await settled();
  await clock.advance(heldMs);
  expect((await claim(his))?.id).toBe(him.id);
});

test('nor does a heartbeat by it keep that bell from being heard in time', async () => {
  const { clock, service, settled, claim, lease, him } = await given();
  await clock.advance(20_000);
  const [answer] = await service.heartbeat([{ lease, progress: undefined }], { tenant: 'alice' });
  expect(answer?.verdict).toBe('renewed');
  await settled();
  await clock.advance(heldMs - 20_000);
  expect((await claim(his))?.id).toBe(him.id);
});
