import { expect, it } from 'vitest';
import { ensureAccepted, item, noOptions } from '../../../test/fixtures/api-node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const target = { tenant: 'default', queue: 'q' };

it('a submission with whenDead is answered with the task if others redrive and cancel it at the same moment', async () => {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  let meanwhile = (): Promise<unknown> => Promise.resolve();
  const accept: typeof engine.store.accept = async (batch) => {
    const outcomes = await engine.store.accept(batch);
    await meanwhile();
    return outcomes;
  };
  const store = Object.assign(Object.create(engine.store) as typeof engine.store, { accept });
  const { service } = await createService({
    ...{ ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true },
  });
  const again = { ...item('a'), options: { ...noOptions, whenDead: 'redrive' as const } };
  const submit = async () => {
    const [result] = await service.submit(target, [again], { notAfterMs: undefined });
    return ensureAccepted(result);
  };
  const task = await submit();
  const [assigned] = await service.claim({
    ...{ tenant: 'default', queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], waitMs: 0, maxTasks: 1 },
    ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
  });
  if (assigned === undefined) expect.fail('not assigned');
  await service.settle(
    [
      {
        ...{ lease: assigned.lease, outcome: 'fatal', result: undefined, message: '', errorType: '' },
        ...{ afterMs: undefined, begun: true },
      },
    ],
    { tenant: 'default', sessionId: undefined },
  );
  meanwhile = async () => {
    meanwhile = () => Promise.resolve();
    await service.redrive('default', task.id, 'operator');
    await service.cancel('default', task.id, { actor: 'operator', message: '' });
  };
  expect(await submit()).toMatchObject({ id: task.id, deduplicated: true, state: 'cancelled' });
});
