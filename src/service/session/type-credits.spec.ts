import { expect, it } from 'vitest';
import { apiNode, item, specOf, submitItems } from '../../../test/fixtures/api-node.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';
import type { Session, WorkerHello } from '../service.ts';

const types = [
  { type: 'slow', maxVersion: 1, tasks: 1 },
  { type: 'note', maxVersion: 1 },
];
const hello: WorkerHello = {
  ...{ tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'] },
  ...{ types, tasks: 10, bytes: 1_000_000, reportsBegun: true },
};
const slow = (key: string) => item(key, { spec: specOf('{}', 'slow') });

type Node = Awaited<ReturnType<typeof apiNode>>;

/** Opens a session on the node, whose worker acknowledges each message unless it is `deaf`. */
function open(node: Node, more: Partial<WorkerHello> = {}) {
  const assigned: Assignment[] = [];
  const worker = { deaf: false, assigned, session: undefined as unknown as Session };
  worker.session = node.service.openSession(
    { ...hello, ...more },
    {
      assign(seq, tasks) {
        assigned.push(...tasks);
        if (!worker.deaf) node.clock.soon(() => worker.session.received(seq));
      },
      cancel() {},
      drain() {},
    },
  );
  const keys = async (): Promise<string[]> => {
    await node.clock.advance(10);
    return assigned.map(({ key }) => key);
  };
  return Object.assign(worker, { keys });
}

async function settle(node: Node, session: Session, task: Assignment | undefined, lease = task?.lease) {
  const settled = {
    outcome: 'succeeded',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
  const item = { ...settled, outcome: 'succeeded', lease: lease ?? new Uint8Array() } as const;
  return node.service.settle([item], { tenant: 'default', sessionId: session.id });
}

it('a worker is assigned no more tasks of a limited type than its credits say, and the tasks behind them', async () => {
  const node = await apiNode();
  await submitItems(node, slow('s1'), slow('s2'), item('a'), slow('s3'), item('b'));
  const worker = open(node);
  expect(await worker.keys()).toEqual(['s1', 'a', 'b']);
  worker.session.close();
});

it('a settlement on the node returns the credit of its type, and the next task of that type is assigned', async () => {
  const node = await apiNode();
  await submitItems(node, slow('s1'), slow('s2'), slow('s3'));
  const worker = open(node);
  expect(await worker.keys()).toEqual(['s1']);
  expect(await settle(node, worker.session, worker.assigned[0])).toMatchObject({ credited: true });
  expect(await worker.keys()).toEqual(['s1', 's2']);
  worker.session.credit(0, 0, [
    { type: 'slow', tasks: 1 },
    { type: 'note', tasks: 5 },
    { type: 'unknown', tasks: 5 },
  ]);
  expect(await worker.keys()).toEqual(['s1', 's2', 's3']);
  worker.session.close();
});

it('a batch with a settlement that names no task returns no credit, so that the worker sends all of it', async () => {
  const node = await apiNode();
  const worker = open(node);
  expect(await settle(node, worker.session, undefined)).toMatchObject({ credited: false });
  worker.session.close();
});

it('a submitted task of a limited type is not claimed in its commit while the type has no room', async () => {
  const node = await apiNode();
  const worker = open(node);
  await node.clock.advance(10);
  await submitItems(node, slow('s1'), slow('s2'), item('a'));
  expect(await worker.keys()).toEqual(['s1', 'a']);
  await settle(node, worker.session, worker.assigned[0]);
  expect(await worker.keys()).toEqual(['s1', 'a', 's2']);
  worker.session.close();
});

it('a second hello replaces the credits of a type, less the tasks that the worker had not received when it sent it', async () => {
  const node = await apiNode();
  await submitItems(node, slow('s1'), slow('s2'), slow('s3'));
  const worker = open(node);
  worker.deaf = true;
  expect(await worker.keys()).toEqual(['s1']);
  // The worker does not know of `s1` yet, so that its second hello gives credit for one task.
  worker.session.reset(hello);
  worker.session.received(1);
  expect(await worker.keys()).toEqual(['s1']);
  // Now it knows of `s1`, and has a slot for another one.
  worker.session.reset(hello);
  expect(await worker.keys()).toEqual(['s1', 's2']);
  worker.session.close();
});

it('a second hello without a limit for a type lifts the limit that the first one gave it', async () => {
  const node = await apiNode();
  await submitItems(node, slow('s1'), slow('s2'), slow('s3'));
  const worker = open(node);
  expect(await worker.keys()).toEqual(['s1']);
  worker.session.reset({ ...hello, types: [{ type: 'slow', maxVersion: 1 }] });
  expect(await worker.keys()).toEqual(['s1', 's2', 's3']);
  worker.session.close();
});

it('the queues of a worker take turns, although it takes one task at a time', async () => {
  const clock = virtualClock();
  const options = { ...memory({ clock }), node: 'n', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  for (const queue of ['a', 'b', 'c']) {
    const items = [1, 2, 3].map((i) => item(`${queue}${i}`));
    await service.submit({ tenant: 'default', queue }, items, { notAfterMs: undefined });
  }
  const keys: string[] = [];
  for (let i = 0; i < 9; i++) {
    const [task] = await service.claim({
      ...{ tenant: 'default', workerName: 'w', workerId: '1', queues: ['a', 'b', 'c'], requestId: '' },
      ...{ types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
      signal: new AbortController().signal,
    });
    keys.push(task?.key ?? '');
  }
  expect(keys).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3']);
});

it('ClaimTasks returns at most as many tasks of a type as the request says', async () => {
  const node = await apiNode();
  await submitItems(node, slow('s1'), slow('s2'), item('a'));
  const claimed = await node.service.claim({
    ...{ tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'], requestId: '' },
    ...{ types, maxTasks: 10, waitMs: 0, signal: new AbortController().signal },
  });
  expect(claimed.map(({ key }) => key)).toEqual(['s1', 'a']);
});

it('a message of a full type that must be replaced is replaced, and its task is not claimed', async () => {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  let receiveCount = 1;
  const broker = {
    ...engine.broker,
    // SQS gives a message that was received too often to any worker.
    receive: async (...[queues, request]: Parameters<typeof engine.broker.receive>) => {
      const received = await engine.broker.receive(queues, { ...request, roomOfType: undefined });
      return received.map((delivery) => ({ ...delivery, receiveCount }));
    },
  };
  const { service, settled } = await createService({ ...options, broker });
  const target = { tenant: 'default', queue: 'q' };
  await service.submit(target, [slow('s1'), slow('s2')], { notAfterMs: undefined });
  const request = {
    ...{ tenant: 'default', workerName: 'w', workerId: '1', queues: ['q'], requestId: '' },
    ...{ types, maxTasks: 10, waitMs: 0, signal: new AbortController().signal },
  };
  receiveCount = limits.deliveryReceives;
  expect((await service.claim(request)).map(({ key }) => key)).toEqual(['s1']);
  await settled();
  receiveCount = 1;
  expect((await service.claim(request)).map(({ key }) => key)).toEqual(['s2']);
});
