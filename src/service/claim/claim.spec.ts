import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { HoldfastError } from '../../core/errors.ts';
import type { Delivery } from '../../ports/broker.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import type { ClaimRequest } from '../service.ts';

const target = { tenant: 'default', queue: 'q' };

it('a claim that loses the race for a task gets an error that names the winning worker', async () => {
  const clock = virtualClock();
  const bothWrite = Promise.withResolvers<void>();
  let writing = 0;
  const before = ({ name }: { readonly name: string }): Promise<void> | undefined => {
    if (name !== 'store.append') return undefined;
    if (++writing === 2) bothWrite.resolve();
    return bothWrite.promise;
  };
  const engine = externalMemory({ clock, faults: { before } });
  let received: readonly Delivery[] = [];
  const nodeOf = async (node: string) => {
    const parts = engine.connect(node);
    // Both nodes receive the same delivery at the same moment, as SQS may deliver a message twice.
    const broker = { ...parts.broker, receive: async () => received };
    const options = { ...parts, broker, node, clock, log: silentLog, createQueues: true };
    return (await createService(options)).service;
  };
  const services = [await nodeOf('one'), await nodeOf('other')];
  const [submitted] = (await services[0]?.submit(target, [item('k')], { notAfterMs: undefined })) ?? [];
  if (submitted === undefined || submitted.error !== undefined) expect.fail('not accepted');
  const request: Omit<ClaimRequest, 'workerName'> = {
    ...{ tenant: 'default', workerId: 'w', queues: ['q'], requestId: '', maxTasks: 1, waitMs: 0 },
    types: [{ type: 'note', maxVersion: 1 }],
    signal: new AbortController().signal,
  };
  const room = () => ({ tasks: 1, bytes: 1_000 });
  received = await engine.broker.receive([target], { ...request, room });
  const races = await Promise.all(
    services.map(async (service, i) => {
      const lost: HoldfastError[] = [];
      const workerName = `worker-${i}`;
      const tasks = await service.claim({
        ...request,
        workerName,
        onRaceLost: (error) => void lost.push(error),
      });
      return { worker: `${workerName}/w`, won: tasks.length > 0, lost };
    }),
  );
  const winner = races.find(({ won }) => won);
  const loser = races.find(({ won }) => !won);
  expect(winner?.lost).toEqual([]);
  expect(loser?.lost).toHaveLength(1);
  expect(loser?.lost[0]).toMatchObject({ code: 'ABORTED', reason: 'CONFLICT', taskId: submitted.id });
  expect(loser?.lost[0]?.message).toContain(winner?.worker);
});
