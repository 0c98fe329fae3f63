import { describe, expect, it } from 'vitest';
import { item, noOptions } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import { cutGraceMs } from './release-reserved.ts';

const tenant = 'default';

/** Opens a worker's stream that gets one task, on a store that two nodes share. */
async function assignOne({ isAcknowledged = true, maxAttempts = 5 } = {}) {
  const clock = virtualClock();
  const engine = memory({ clock });
  const nodes = await Promise.all(
    ['cut', 'other'].map((node) =>
      createService({ ...engine, node, clock, log: silentLog, createQueues: true }),
    ),
  );
  const [cut, other] = nodes.map(({ service }) => service);
  const context = nodes[0]?.context;
  if (cut === undefined || other === undefined || context === undefined) throw new Error('no node');
  await cut.submit(
    { tenant, queue: 'q' },
    [item('a', { options: { ...noOptions, retry: { maxAttempts } } })],
    {
      notAfterMs: undefined,
    },
  );
  const assigned: Assignment[] = [];
  const hello = { tenant, workerName: 'w', workerId: '1', queues: ['q'], reportsBegun: true };
  const session = cut.openSession(
    { ...hello, types: [{ type: 'note', maxVersion: 1 }], tasks: 1, bytes: 1_000_000 },
    { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
  );
  await clock.settle();
  const [task] = assigned;
  if (task === undefined) throw new Error('no task was assigned');
  if (isAcknowledged) session.received(1);
  const stateAfterCut = async (): Promise<string> => {
    session.close();
    await clock.advance(cutGraceMs + 100);
    return (await cut.get(tenant, task.id, false)).snapshot.head.state;
  };
  const state = async () => (await cut.get(tenant, task.id, false)).snapshot.head.state;
  return { cut, other, task, stateAfterCut, state, session, clock, cutReleases: context.cutReleases };
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

describe('a node that stops within the 2 s after a cut', () => {
  it.each(['before the cut', 'after the cut'])(
    'releases at once a task that the cut worker may not have received (it begins to stop %s)',
    async (when) => {
      const { state, session, clock, cutReleases } = await assignOne({ isAcknowledged: false });
      if (when === 'before the cut') cutReleases.stop();
      session.close();
      await clock.settle();
      if (when === 'after the cut') {
        expect(await state()).toBe('running');
        cutReleases.stop();
        await clock.settle();
      }
      expect(await state()).not.toBe('running');
    },
  );

  it('releases at once a task of a stream that is cut just after its drain has begun', async () => {
    const { state, session, clock, cutReleases } = await assignOne({ isAcknowledged: false });
    session.drain();
    cutReleases.stop();
    session.close();
    await clock.settle();
    expect(await state()).not.toBe('running');
  });

  it('leaves a task to its lease if the node itself ends the stream of a slow worker', async () => {
    const { state, session, clock, cutReleases } = await assignOne({ isAcknowledged: false });
    session.drain();
    cutReleases.stop();
    cutReleases.stopped();
    session.close();
    await clock.settle();
    expect(await state()).toBe('running');
  });

  it.each([
    ['that the worker has received, and gives back itself', { isAcknowledged: true }],
    [
      'that may begin only once, because the worker may have begun it',
      { isAcknowledged: false, maxAttempts: 1 },
    ],
  ])('leaves a task to its lease %s', async (_, options) => {
    const { state, session, clock, cutReleases } = await assignOne(options);
    session.close();
    cutReleases.stop();
    await clock.settle();
    expect(await state()).toBe('running');
  });
});
