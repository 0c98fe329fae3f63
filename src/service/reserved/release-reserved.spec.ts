import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import { cutGraceMs } from './release-reserved.ts';

const tenant = 'default';

/** Opens a worker's stream that gets one task, on a store that two nodes share. */
async function assignOne() {
  const clock = virtualClock();
  const engine = memory({ clock });
  const nodes = await Promise.all(
    ['cut', 'other'].map((node) =>
      createService({ ...engine, node, clock, log: silentLog, createQueues: true }),
    ),
  );
  const [cut, other] = nodes.map(({ service }) => service);
  if (cut === undefined || other === undefined) throw new Error('no node');
  await cut.submit({ tenant, queue: 'q' }, [item('a')], { notAfterMs: undefined });
  const assigned: Assignment[] = [];
  const hello = { tenant, workerName: 'w', workerId: '1', queues: ['q'], reportsBegun: true };
  const session = cut.openSession(
    { ...hello, types: [{ type: 'note', maxVersion: 1 }], tasks: 1, bytes: 1_000_000 },
    { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
  );
  await clock.settle();
  const [task] = assigned;
  if (task === undefined) throw new Error('no task was assigned');
  session.received(1);
  const stateAfterCut = async (): Promise<string> => {
    session.close();
    await clock.advance(cutGraceMs + 100);
    return (await cut.get(tenant, task.id, false)).snapshot.head.state;
  };
  return { cut, other, task, stateAfterCut };
}

it('a task that a cut worker has not begun is released 2 s after the cut', async () => {
  const { stateAfterCut } = await assignOne();
  expect(await stateAfterCut()).toBe('waiting');
});

it.each(['cut', 'other'] as const)(
  'a task whose begin a heartbeat recorded on the %s node is not released after a cut that lost the report of the worker',
  async (node) => {
    const { stateAfterCut, task, ...nodes } = await assignOne();
    const heartbeat = { lease: task.lease, begun: true, progress: undefined };
    const [answer] = await nodes[node].heartbeat([heartbeat], { tenant });
    expect(answer).toMatchObject({ verdict: 'renewed' });
    expect(await stateAfterCut()).toBe('running');
  },
);
