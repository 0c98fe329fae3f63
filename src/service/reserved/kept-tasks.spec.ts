import { describe, expect, it, onTestFinished } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { decodeLease, encodeLease } from '../../core/codec/lease.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { shownState } from '../../core/task/head.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { WorkerHello } from '../service.ts';

const tenant = 'default';
const ref = { tenant, queue: 'q' };
const hello: WorkerHello = {
  ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], types: [{ type: 'note', maxVersion: 1 }] },
  ...{ tasks: 0, bytes: 1_000_000, reportsBegun: true },
};

/** Starts two nodes on one store. A worker of the first one was assigned some tasks, and its stream there was drained. */
async function drainedAtOne(...keys: string[]) {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const start = async (name: string) => {
    const own = clock.process();
    onTestFinished(() => own.kill());
    return startNode({ engine: engine.connect(name), clock: own, log: silentLog, node: name });
  };
  const [one, other] = [await start('one'), await start('other')];
  const items = keys.map((key) => item(key));
  await one.service.submit(ref, items, { notAfterMs: undefined });
  const assigned: Assignment[] = [];
  const first = one.service.openSession(
    { ...hello, tasks: keys.length },
    { assign: (_, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
  );
  await clock.advance(100);
  first.drain();
  first.received(1);
  first.close();
  expect(assigned.map(({ key }) => key)).toEqual(keys);
  const open = (who: Partial<WorkerHello> = {}) => {
    const recalled: string[] = [];
    const session = other.service.openSession(
      { ...hello, ...who },
      { assign() {}, cancel: (id, _, cause) => void recalled.push(`${cause} ${keyOf(id)}`), drain() {} },
    );
    return { session, recalled };
  };
  const keyOf = (id: string) => assigned.find((task) => task.id === id)?.key;
  const pause = async (): Promise<void> => {
    await other.service.updateQueue(ref, { paused: true }, 'op');
    await clock.settle();
  };
  return { clock, other, assigned, leases: assigned.map(({ lease }) => lease), open, pause };
}

describe('a task that a worker names as kept from another node', () => {
  it('is recalled by a later pause, but not once the worker has reported its beginning', async () => {
    const { clock, assigned, leases, open, pause } = await drainedAtOne('a', 'b', 'c');
    const { session, recalled } = open();
    session.kept(leases);
    // One begins while the node reads the tasks, one later.
    session.begun([], assigned.slice(0, 1));
    await clock.settle();
    session.begun([], assigned.slice(1, 2));
    await pause();
    expect(recalled).toEqual(['paused c']);
  });

  it('is not recalled by a node to which the worker named a lease of another secret', async () => {
    const { clock, leases, open, pause } = await drainedAtOne('a', 'b');
    const [a, b] = leases.map(decodeLease);
    if (a === undefined || b === undefined) expect.fail('not assigned');
    const { session, recalled } = open();
    session.kept([encodeLease({ ...a, secret: b.secret }), encodeLease(b)]);
    await clock.settle();
    await pause();
    expect(recalled).toEqual(['paused b']);
  });

  it('is recalled at once if its queue was paused before', async () => {
    const { clock, leases, open, pause } = await drainedAtOne('a');
    await pause();
    const { session, recalled } = open();
    session.kept(leases);
    await clock.settle();
    expect(recalled).toEqual(['paused a']);
  });

  it('goes back to its queue 2 s after the new stream was cut', async () => {
    const { clock, other, assigned, leases, open } = await drainedAtOne('a');
    const { session } = open();
    session.kept(leases);
    await clock.settle();
    session.close();
    const state = async () =>
      shownState((await other.service.get(tenant, assigned[0]?.id ?? '', false)).snapshot.head);
    await clock.advance(1_900);
    expect(await state()).toBe('reserved');
    await clock.advance(200);
    expect(await state()).toBe('ready');
  });

  it.each<[string, Partial<WorkerHello>]>([
    ['another worker', { workerId: '2' }],
    ['a worker of another tenant', { tenant: 'other' }],
  ])('is ignored if %s holds its lease', async (_, who) => {
    const { clock, leases, open, pause } = await drainedAtOne('a');
    const { session, recalled } = open(who);
    session.kept([...leases, new Uint8Array([1, 2, 3]), new Uint8Array()]);
    await clock.settle();
    await pause();
    expect(recalled).toEqual([]);
  });

  it('is ignored behind 4,096 others on the same stream', async () => {
    const { clock, leases, open, pause } = await drainedAtOne('a');
    const { session, recalled } = open();
    session.kept(Array<Uint8Array>(limits.inFlightTasks).fill(new Uint8Array([1])));
    session.kept(leases);
    await clock.settle();
    await pause();
    expect(recalled).toEqual([]);
  });
});
