import { expect, it } from 'vitest';
import { item, specOf } from '../../test/rig/api-node.ts';
import { memory } from '../engines/memory/index.ts';
import { virtualClock } from '../platform/virtual-clock.ts';
import type { Ring } from '../ports/bells.ts';
import { silentLog } from '../ports/log.ts';
import { createService } from './create-service.ts';
import { ringLowest } from './hand-over.ts';

it('never rings a task for a place in its lane that it has left meanwhile', async () => {
  const clock = virtualClock();
  const rings: Ring[] = [];
  const ring = (rung: Ring): 'rung' => {
    rings.push(rung);
    return 'rung';
  };
  const engine = memory({ clock, bells: 'apart', faults: { ring } });
  const options = { ...engine, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service, context } = await createService(options);
  const target = { tenant: 'default', queue: 'q' };
  const lane = { ...target, orderingKey: 'lane' };
  await service.submit(target, [item('k', { spec: specOf('{}', 'note', 'lane') })], {
    notAfterMs: undefined,
  });
  const now = await engine.store.lowest(lane);
  rings.length = 0;

  // Read long ago by a process that stalled; today another task is the lowest.
  const answers = [{ id: now?.id ?? '', seq: (now?.seq ?? 0) - 1 }, undefined];
  const store = { ...engine.store, lowest: async () => answers.shift() };
  await ringLowest({ ...context, store }, lane, 'handOver');
  expect(rings).toEqual([]);

  await ringLowest(context, lane, 'handOver');
  expect(rings.map(({ id }) => id)).toEqual([now?.id]);
});
