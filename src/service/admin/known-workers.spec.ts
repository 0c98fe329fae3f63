import { describe, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { startRuntime } from '../../runtime/runtime.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import type { WorkerHello } from '../service.ts';

const tenant = 'default';
const hello: WorkerHello = {
  ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], types: [{ type: 'note', maxVersion: 1 }] },
  ...{ tasks: 10, bytes: 1_000_000, reportsBegun: true },
};

/** Starts two nodes on one store. The workers and the tasks are on the first one. */
async function twoNodes(engineOf: typeof memory | typeof externalMemory) {
  const clock = virtualClock();
  const engine = engineOf({ clock });
  const start = (node: string) =>
    createService({ ...engine, node, clock, log: silentLog, createQueues: true });
  const [first, other] = [await start('first'), await start('other')];
  startRuntime(first, { takesPart: false });
  const { service } = first;
  const assigned: Assignment[] = [];
  return {
    ...{ clock, service, assigned, other: other.service },
    open: (more: Partial<WorkerHello> = {}) =>
      service.openSession(
        { ...hello, ...more },
        { assign: (_seq, tasks) => void assigned.push(...tasks), cancel() {}, drain() {} },
      ),
    async submit(...keys: readonly string[]) {
      await service.submit(
        { tenant, queue: 'q' },
        keys.map((key) => item(key)),
        { notAfterMs: undefined },
      );
      await clock.settle();
    },
    async settle(task: Assignment | undefined, outcome: 'released' | 'lost' | 'succeeded', begun: boolean) {
      if (task === undefined) throw new Error('no task was assigned');
      const empty = { result: undefined, message: '', errorType: '', afterMs: undefined };
      await service.settle([{ lease: task.lease, outcome, begun, ...empty }], {
        tenant,
        sessionId: undefined,
      });
      await clock.settle();
    },
    /** Returns how many tasks each worker holds, and how many of these have not begun. */
    async counts(node = service): Promise<(readonly [inFlight: number, reserved: number])[]> {
      const { workers } = await node.workers(tenant, 'q');
      return workers.map(({ inFlight, reserved }) => [inFlight, reserved]);
    },
  };
}

describe.each([
  ['a transactional broker', memory],
  ['an external broker', externalMemory],
] as const)('in the list of workers, with %s,', (_kind, engineOf) => {
  it('a worker that fetches ahead has those tasks reserved that have neither begun nor ended', async () => {
    const { open, submit, settle, counts, assigned } = await twoNodes(engineOf);
    const session = open();
    await submit('a', 'b', 'c');
    session.received(1);
    expect(await counts()).toEqual([[3, 3]]);
    session.begun([1], []);
    expect(await counts()).toEqual([[3, 2]]);
    await settle(assigned[0], 'succeeded', true);
    expect(await counts()).toEqual([[2, 2]]);
    session.close();
    expect(await counts()).toEqual([]);
  });

  it('a worker that begins at once has no task reserved, except one that must run alone until it reports the beginning', async () => {
    const { open, submit, settle, counts, assigned } = await twoNodes(engineOf);
    const session = open({ reportsBegun: false, runsAlone: true });
    await submit('a');
    expect(await counts()).toEqual([[1, 0]]);
    for (const losses of [0, 1]) await settle(assigned[losses], 'lost', true);
    expect(assigned.at(-1)).toMatchObject({ alone: true });
    expect(await counts()).toEqual([[1, 1]]);
    session.begun([assigned.length], []);
    expect(await counts()).toEqual([[1, 0]]);
  });

  it('a worker that opens its stream again on the same node still holds what it kept from the drained stream', async () => {
    const { open, submit, counts, clock } = await twoNodes(engineOf);
    const drained = open();
    await submit('a', 'b', 'c');
    drained.received(1);
    drained.begun([1], []);
    (drained as unknown as { drain(): void }).drain();
    open({ tasks: 0 });
    expect(await counts()).toEqual([
      [3, 2],
      [0, 0],
    ]);
    drained.close();
    await clock.settle();
    expect(await counts()).toEqual([[3, 2]]);
  });
});

it('another node lists how many tasks a worker has reserved, as its node has announced it', async () => {
  const { open, submit, counts, clock, other } = await twoNodes(externalMemory);
  await submit('a', 'b', 'c');
  const session = open();
  await clock.settle();
  session.received(1);
  session.begun([1], []);
  await clock.advance(5_000);
  expect(await counts(other)).toEqual([[3, 2]]);
});
