import { create } from '@bufbuild/protobuf';
import { expect, onTestFinished, test } from 'vitest';
import { callContext, item } from '../../../test/fixtures/api-node.ts';
import { memory } from '../../engines/memory/index.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import type { SnapshotPage } from '../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { RedriveTasksRequestSchema, TaskService } from '../gen/holdfast/v1/task_service_pb.ts';

const { redriveTasks } = TaskService.method;

/** Starts a node whose store answers each call of `list` with the page that `list` returns for the number of the call. */
async function nodeWith(list: (call: number, clock: VirtualClock) => SnapshotPage) {
  const clock = virtualClock();
  const engine = memory({ clock });
  let calls = 0;
  const store = { ...engine.store, list: async () => list(++calls, clock) };
  const node = await startNode({ engine: { ...engine, store }, clock, log: silentLog });
  onTestFinished(() => node.close(0));
  await node.service.submit({ tenant: 'default', queue: 'q' }, [item('a')], { notAfterMs: undefined });
  return {
    async redriveMany(request: object) {
      calls = 0;
      const { $typeName: _, ...response } = await node.api.call(
        redriveTasks,
        create(RedriveTasksRequestSchema, { queue: 'q', type: 'rare', ...request }),
        callContext(),
      );
      return { ...response, calls };
    },
  };
}

test('a redrive of many that finds few tasks stops after 20,000 examined tasks and has the token to continue', async () => {
  const node = await nodeWith((call) => ({
    items: [],
    cursor: `c${call}`,
    examined: 1_000,
    examinedUntilMs: 9_000 - call,
  }));
  for (const dryRun of [true, false]) {
    expect(await node.redriveMany({ dryRun })).toEqual({
      matched: 0,
      redriven: 0,
      refused: 0,
      examined: 20_000,
      examinedUntilMs: 8_980n,
      nextPageToken: 'c20',
      calls: 20,
    });
  }
});

test('a redrive of many that reaches the end of the dead tasks has no token', async () => {
  const node = await nodeWith((call) => ({
    items: [],
    cursor: call < 3 ? 'c' : undefined,
    examined: call < 3 ? 1_000 : 0,
    examinedUntilMs: call < 3 ? 9_000 : undefined,
  }));
  expect(await node.redriveMany({})).toMatchObject({
    examined: 2_000,
    examinedUntilMs: 9_000n,
    nextPageToken: '',
    calls: 3,
  });
});

test.each([true, false])(
  'other calls are served between the pages of a redrive of many, with dryRun: %s',
  async (dryRun) => {
    const served: number[] = [];
    const servedBefore: number[][] = [];
    const node = await nodeWith((call, clock) => {
      servedBefore.push([...served]);
      clock.soon(() => served.push(call));
      return { items: [], cursor: call < 3 ? 'c' : undefined, examined: 1_000, examinedUntilMs: 9_000 };
    });
    await node.redriveMany({ dryRun });
    expect(servedBefore).toEqual([[], [1], [1, 2]]);
  },
);
