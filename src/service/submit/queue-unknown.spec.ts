import { expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { createClient } from '../../client/create-client.ts';
import { defineTask, defineWorker, handle, typed } from '../../index.ts';
import { inProcess } from '../../node/in-process.ts';
import { startNode } from '../../node/node.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { initialSetting, queueKind } from '../admin/queue-settings.ts';

const clock = systemClock();

async function node(...queues: readonly string[]) {
  const engine = externalMemory({ clock });
  for (const queue of queues)
    await engine.registry.put(queueKind, `default/${queue}`, initialSetting, 'absent');
  return startNode({ engine, clock, log: silentLog, createQueues: false });
}

const queueUnknown = {
  code: 'NOT_FOUND',
  reason: 'QUEUE_UNKNOWN',
  help: "Did you mean 'webhooks'? To create it: `holdfast aws init --table <name> --queue webhoks`.",
};

test('a submission to an unknown queue is refused with the name of the most similar queue', async () => {
  const { service, close } = await node('mail', 'webhooks');
  const submitted = service.submit({ tenant: 'default', queue: 'webhoks' }, [item('a')], {
    notAfterMs: undefined,
  });
  await expect(submitted).rejects.toMatchObject(queueUnknown);
  await close(0);
});

test('a worker that names an unknown queue ends with an error that suggests the most similar queue', async () => {
  const { api, close } = await node('mail', 'webhooks');
  const client = createClient(inProcess({ api, clock }), { clock });
  const task = defineTask('deliver', { input: typed<object>(), queue: 'webhoks' });
  const running = await client.work(defineWorker({ handlers: [handle(task, () => {})] }));
  await expect(running.done).rejects.toMatchObject(queueUnknown);
  await client.close();
  await close(0);
});

test('the error for an unknown queue shows the command that creates the queue for that tenant', async () => {
  const { service, close } = await node();
  const ref = { tenant: 'acme', queue: 'late' };
  await expect(service.submit(ref, [item('a')], { notAfterMs: undefined })).rejects.toMatchObject({
    help: 'Check the name. To create it: `holdfast aws init --table <name> --tenant acme --queue late`.',
  });
  await close(0);
});

test('a queue that is created while the node runs is found at its next use', async () => {
  const { service, engine, close } = await node();
  const ref = { tenant: 'default', queue: 'late' };
  await expect(service.submit(ref, [item('a')], { notAfterMs: undefined })).rejects.toMatchObject({
    help: 'Check the name. To create it: `holdfast aws init --table <name> --queue late`.',
  });
  await engine.registry.put(queueKind, 'default/late', initialSetting, 'absent');
  const [result] = await service.submit(ref, [item('a')], { notAfterMs: undefined });
  expect(result?.error).toBeUndefined();
  await close(0);
});
