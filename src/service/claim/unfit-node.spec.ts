import { expect, it, onTestFinished } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { startNode } from '../../node/node.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { WorkerHello } from '../service.ts';

const tenant = 'default';
const ref = { tenant, queue: 'q' };
const types = [{ type: 'note', maxVersion: 1 }];
const who = { tenant, workerName: 'w', workerId: '1', queues: ['q'], types };

/** Two nodes on one store, of which the first is fit or not, each with a worker on a stream. */
async function twoNodes() {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const state = { isFit: true };
  const start = async (node: string, isFit: () => boolean) => {
    const own = clock.process();
    onTestFinished(() => own.kill());
    const duties = { fitness: () => ({ fit: isFit(), clockOffsetMs: 0 }) };
    return startNode({ engine: engine.connect(node), clock: own, log: silentLog, node, duties });
  };
  const first = await start('first', () => state.isFit);
  const second = await start('second', () => true);
  const submit = (...keys: string[]) =>
    first.service.submit(
      ref,
      keys.map((key) => item(key)),
      { notAfterMs: undefined },
    );
  const open = ({ service }: typeof first) => {
    const assigned: Assignment[] = [];
    const hello: WorkerHello = { ...who, tasks: 10, bytes: 1_000_000, reportsBegun: true };
    service.openSession(hello, {
      assign: (_, tasks) => void assigned.push(...tasks),
      cancel() {},
      drain() {},
    });
    return { keys: () => assigned.map(({ key }) => key), assigned };
  };
  const claim = async ({ service }: typeof first, waitMs: number) => {
    const { signal } = new AbortController();
    const claiming = service.claim({ ...who, workerId: '2', maxTasks: 10, waitMs, requestId: '', signal });
    await clock.advance(waitMs);
    return (await claiming).map(({ key }) => key);
  };
  return { clock, state, first, second, submit, open, claim };
}

it('a node whose clock is too far off gives out no lease, neither on a stream nor by a call, and again once it is right', async () => {
  const { clock, state, first, submit, open, claim } = await twoNodes();
  state.isFit = false;
  const worker = open(first);
  await submit('a');
  await clock.advance(10_000);
  expect(worker.keys()).toEqual([]);
  expect(await claim(first, 5_000)).toEqual([]);
  state.isFit = true;
  await clock.advance(2_000);
  expect(worker.keys()).toEqual(['a']);
});

it('a task that a node receives while its clock is found to be too far off goes to another node within seconds', async () => {
  const { clock, state, first, second, submit, open } = await twoNodes();
  const worker = open(first);
  await clock.advance(1_000);
  state.isFit = false;
  await submit('a');
  await clock.advance(500);
  const other = open(second);
  await clock.advance(5_000);
  expect([worker.keys(), other.keys()]).toEqual([[], ['a']]);
});

it('a node whose clock is too far off still renews and settles the leases that it gave out', async () => {
  const { clock, state, first, submit, open } = await twoNodes();
  const worker = open(first);
  await submit('a');
  await clock.advance(100);
  state.isFit = false;
  const [task = expect.fail('not assigned')] = worker.assigned;
  const beat = { lease: task.lease, begun: true, progress: undefined };
  expect(await first.service.heartbeat([beat], { tenant })).toMatchObject([{ verdict: 'renewed' }]);
  const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: true };
  const settlement = { lease: task.lease, outcome: 'succeeded', ...nothing } as const;
  const { results } = await first.service.settle([settlement], { tenant, sessionId: undefined });
  expect(results).toEqual([{ state: 'succeeded', error: undefined }]);
});
