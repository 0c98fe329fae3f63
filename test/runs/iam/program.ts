/**
 * A program that uses the table and the queues by itself. `node program.ts submit` accepts tasks of each kind, with options
 * that need different writes; `node program.ts read` reads tasks in each way. Neither takes a task.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../src/client/create-client.ts';
import { inProcess } from '../../../src/node/in-process.ts';
import { openWorkerNode } from '../../../src/node/node.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { defaultLog } from '../../../src/platform/log.ts';
import { echo } from './contract.ts';

const [, , role = '', table = '', endpoint = ''] = process.argv;
const clock = systemClock();
// A program that only reads calls no queue of SQS.
const queues = role === 'read' ? [] : [{ tenant: 'default', queue: 'default' }];
const store = { table, region: process.env.AWS_REGION, endpointDynamodb: endpoint, endpointSqs: endpoint };
const { node } = await openWorkerNode(store, { clock, log: defaultLog(), queues });
const client = createClient(inProcess({ api: node.api, clock }), { clock, log: defaultLog() });

async function submit(): Promise<void> {
  const key = { idempotencyKey: 'program', window: '1m' } as const;
  const first = await client.submit(echo, { text: 'a' }, key);
  await client.submit(echo, { text: 'a' }, key);
  await client.submit(echo, { text: 'b' }, { delay: '1s' });
  for (const text of ['c', 'd', 'e']) await client.submit(echo, { text }, { orderingKey: 'lane' });
  await client.submitMany(echo, [{ input: { text: 'f' } }, { input: { text: 'g' }, orderingKey: 'lane' }]);
  // The second one waits for the first, which a reader finds by the lane.
  for (const options of [{ delay: '1h' } as const, {}])
    await client.submit(echo, { text: 'h' }, { orderingKey: 'held', ...options });
  await first.status();
  // The key of a task that has ended may be used again after its window.
  await first.result();
  await sleep(61_000);
  await client.submit(echo, { text: 'a' }, key);
}

async function read(): Promise<void> {
  const { tasks } = await client.list({});
  for (const state of ['dead', 'succeeded', 'retrying'] as const) await client.list({ state });
  for (const { id } of tasks.slice(0, 5)) {
    await client.get(id);
    await client.task(id).explain();
    for await (const event of client.task(id).events()) if (event !== undefined) break;
  }
  const held = await client.list({ orderingKey: 'held' });
  for (const { id } of held.tasks) await client.get(id);
  for (const { id } of held.tasks) await client.task(id).explain();
  await client.getByKey('program');
  await client.trouble();
}

await (role === 'submit' ? submit() : read());
await client.close();
await node.close(0);
