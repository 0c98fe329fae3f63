import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

it('a heartbeat is recorded as a report of the worker even if the store cannot write the renewal', async () => {
  const clock = virtualClock();
  let isOut = false;
  const before = ({ name }: { readonly name: string }): Promise<void> | undefined =>
    isOut && name === 'store.append' ? Promise.reject(new Error('the table is out')) : undefined;
  const engine = memory({ clock, faults: { before } });
  const options = { ...engine.connect('n'), node: 'n', clock, log: silentLog, createQueues: true };
  const { service, context } = await createService(options);
  await service.submit({ tenant: 'default', queue: 'q' }, [item('a')], { notAfterMs: undefined });
  const [task] = await service.claim({
    ...{
      tenant: 'default',
      workerName: 'w',
      workerId: 'i',
      queues: ['q'],
      maxTasks: 1,
      waitMs: 0,
      requestId: '',
    },
    types: [{ type: 'note', maxVersion: 1 }],
    signal: new AbortController().signal,
  });
  if (task === undefined) expect.fail('nothing was claimed');
  const lease = () => context.heldLeases.get(task.id, task.fencingToken);
  expect(lease()?.lastReportAtMs).toBeUndefined();
  isOut = true;
  await clock.advance(10_000);
  const beat = [{ lease: task.lease, begun: true, progress: undefined }];
  await service.heartbeat(beat, { tenant: 'default' }).catch(() => {});
  expect(lease()?.lastReportAtMs).toBe(clock.now());
});
