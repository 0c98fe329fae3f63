import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const tenant = 'default';

/** Opens a worker's stream that gets one task, and drains it. */
async function drainedWithOne(
  open: typeof memory | typeof externalMemory,
  prepare: (service: Awaited<ReturnType<typeof createService>>['service']) => Promise<void> = async () => {},
) {
  const clock = virtualClock();
  const options = { ...open({ clock }), node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  await service.submit({ tenant, queue: 'q' }, [item('a')], { notAfterMs: undefined });
  await prepare(service);
  const assigned: Assignment[] = [];
  const connect = (tasks: number) =>
    service.openSession(
      {
        ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], reportsBegun: true },
        ...{ types: [{ type: 'note', maxVersion: 1 }], tasks, bytes: 1_000_000 },
      },
      { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
    );
  const session = connect(1);
  await clock.advance(100);
  const [task = expect.fail('no task was assigned')] = assigned;
  session.received(1);
  session.drain();
  const headAfter = async (ms: number) => {
    await clock.advance(ms);
    await settled();
    return (await service.get(tenant, task.id, false)).snapshot.head;
  };
  return { service, session, task, connect, headAfter };
}

const brokers = [
  ['a transactional broker', memory, 7_000],
  ['an external broker', externalMemory, 12_000],
] as const;

it.each(brokers)(
  'a task that a worker had fetched is released some seconds after the worker died during a drain of its stream, with %s',
  async (_kind, open, releasedAfterMs) => {
    const { session, headAfter } = await drainedWithOne(open);
    session.close();
    expect(await headAfter(releasedAfterMs - 500)).toMatchObject({ state: 'running' });
    expect(await headAfter(1_000)).toMatchObject({ state: 'waiting', attempt: 0, releases: 0, losses: 0 });
  },
);

it.each(brokers)(
  'a task that a worker kept over a drain and began is not taken from it, with %s',
  async (_kind, open) => {
    const { session, task, connect, headAfter } = await drainedWithOne(open);
    session.close();
    expect(await headAfter(4_900)).toMatchObject({ begun: false });
    connect(0).begun([], [task]);
    expect(await headAfter(15_000)).toMatchObject({ state: 'running', fencingToken: task.fencingToken });
  },
);

it('a task that must run alone, and that a worker kept over a drain, is not taken from it while it waits', async () => {
  const { service, session, task, headAfter } = await drainedWithOne(memory, async (node) => {
    for (let i = 0; i < 2; i++) {
      const [{ lease } = expect.fail('nothing was claimed')] = await node.claim({
        ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
        ...{ workerName: 'v', workerId: '1', requestId: '', signal: new AbortController().signal },
      });
      const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: true };
      await node.settle([{ lease, outcome: 'lost', ...nothing }], { tenant, sessionId: undefined });
    }
  });
  expect(task.alone).toBe(true);
  session.close();
  for (let i = 0; i < 4; i++) {
    const waits = { lease: task.lease, begun: false, progress: undefined };
    expect(await service.heartbeat([waits], { tenant })).toMatchObject([{ verdict: 'renewed' }]);
    expect(await headAfter(10_000)).toMatchObject({ state: 'running', fencingToken: task.fencingToken });
  }
});
