import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { apiNode, callContext, item, submitItems } from '../../../../test/fixtures/api-node.ts';
import { limits } from '../../../core/limits.ts';
import { WatchTasksRequestSchema } from '../../gen/holdfast/v1/task_service_pb.ts';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

it('a watched task holds less than 1 KB of memory, with its share of the stream', async () => {
  const node = await apiNode();
  const count = 40 * limits.watchedTasks;
  const ids: string[] = [];
  while (ids.length < count) {
    const items = Array.from({ length: 64 }, (_, i) => item(`k${ids.length + i}`));
    for (const { id } of await submitItems(node, ...items)) ids.push(id);
  }
  const before = await heapBytes();
  const gone = new AbortController();
  let updates = 0;
  const streams = Array.from({ length: count / limits.watchedTasks }, async (_, i) => {
    const own = ids.slice(i * limits.watchedTasks, (i + 1) * limits.watchedTasks);
    // The ids are texts of their own, as they are when they come from the network.
    const tasks = own.map((id) => ({ id: Buffer.from(id).toString() }));
    const request = create(WatchTasksRequestSchema, { tasks });
    for await (const _ of node.api.watch(request, callContext(undefined, { signal: gone.signal }))) updates++;
  });
  await node.clock.settle();
  expect(updates).toBe(count);
  const each = ((await heapBytes()) - before) / count;
  expect(each).toBeLessThan(1_024);
  gone.abort();
  await Promise.all(streams);
}, 60_000);
