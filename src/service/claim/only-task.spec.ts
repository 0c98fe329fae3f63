/** Tests the tasks of a stream whose worker does not say that it keeps a task that must run alone until it is idle. */
import { expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import type { Assignment, OutcomeKind } from '../../core/messages.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const tenant = 'default';
const types = [{ type: 'note', maxVersion: 1 }];

/** Starts a node with a task `b` that has lost two workers; `open` opens the stream of a worker. */
async function withPoison(engineOf: typeof memory | typeof externalMemory) {
  const clock = virtualClock();
  const options = { ...engineOf({ clock }), node: 'n', clock, log: silentLog, createQueues: true };
  const { service, context, settled } = await createService(options);
  const submit = async (...keys: readonly string[]) => {
    await service.submit(
      { tenant, queue: 'q' },
      keys.map((key) => item(key)),
      { notAfterMs: undefined },
    );
    await settled();
  };
  const settle = async ({ lease }: Assignment, outcome: OutcomeKind, sessionId?: string) => {
    const nothing = { result: undefined, message: '', errorType: '', afterMs: undefined, begun: true };
    await service.settle([{ lease, outcome, ...nothing }], { tenant, sessionId });
    await settled();
  };
  const headOf = async (key: string) =>
    (await service.getByKey({ tenant, queue: 'q', key }, false)).snapshot.head;
  await submit('b');
  for (let i = 0; i < 2; i++) {
    const [claimed = expect.fail('nothing was claimed')] = await service.claim({
      ...{ tenant, queues: ['q'], types, maxTasks: 1, waitMs: 0 },
      ...{ workerName: 'gone', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    await settle(claimed, 'lost');
  }
  /** Opens a stream that acknowledges at once. Returns the keys of the tasks that it got, and the newest assignments. */
  const open = (name: string, more: { reportsBegun?: boolean; runsAlone?: boolean } = {}) => {
    const assigned: Assignment[] = [];
    const session = service.openSession(
      {
        ...{ tenant, workerName: name, workerId: '1', queues: ['q'], types },
        ...{ tasks: 10, bytes: 1_000_000, reportsBegun: false, ...more },
      },
      {
        assign(seq, tasks) {
          assigned.push(...tasks);
          session.received(seq);
        },
        cancel() {},
        drain() {},
      },
    );
    return { session, assigned, keys: () => assigned.map(({ key }) => key) };
  };
  return { clock, context, service, submit, settle, headOf, open };
}

const brokers = [
  ['a transactional broker', memory],
  ['an external broker', externalMemory],
] as const;

it.each(brokers)(
  'a task that must run alone dies at its third loss on workers that report no beginnings, with %s',
  async (_kind, engineOf) => {
    const { clock, open, headOf } = await withPoison(engineOf);
    const worker = open('old');
    await clock.advance(5_000);
    expect(worker.keys()).toEqual(['b']);
    expect(await headOf('b')).toMatchObject({ state: 'running', begun: true, losses: 2 });
    worker.session.close();
    await clock.advance(60_000);
    open('next');
    await clock.advance(60_000);
    expect(await headOf('b')).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
  },
);

it.each(brokers)(
  'such a worker gets a task that must run alone as its only task, and others once that has ended, with %s',
  async (_kind, engineOf) => {
    const { clock, submit, settle, open } = await withPoison(engineOf);
    await submit('a', 'c');
    const worker = open('old');
    await clock.advance(5_000);
    await submit('d');
    await clock.advance(20_000);
    expect(worker.keys()).toEqual(['b']);
    await settle(worker.assigned.at(-1) ?? expect.fail('no task'), 'succeeded', worker.session.id);
    await clock.advance(5_000);
    expect(worker.keys().toSorted()).toEqual(['a', 'b', 'c', 'd']);
  },
);

it.each(brokers)(
  'such a worker with another task leaves a task that must run alone to others, without a hot loop, with %s',
  async (_kind, engineOf) => {
    const { clock, context, submit, settle, open, headOf } = await withPoison(engineOf);
    let receives = 0;
    const { broker } = context;
    const receive = broker.receive.bind(broker);
    broker.receive = (...args) => {
      receives++;
      return receive(...args);
    };
    const first = open('first');
    await clock.advance(1_000);
    expect(first.keys()).toEqual(['b']);
    await submit('a');
    const busy = open('busy');
    await clock.advance(1_000);
    expect(busy.keys()).toEqual(['a']);
    await settle(first.assigned[0] ?? expect.fail('no task'), 'released');
    first.session.close();
    receives = 0;
    await clock.advance(10_000);
    expect(busy.keys()).toEqual(['a']);
    expect(await headOf('b')).toMatchObject({ state: 'waiting', losses: 2 });
    expect(receives).toBeLessThan(40);
    const idle = open('idle');
    await clock.advance(10_000);
    expect(idle.keys()).toEqual(['b']);
  },
);

it('a worker that reports beginnings but does not run tasks alone gets such a task as its only one, and may not have begun it', async () => {
  const { clock, submit, open, headOf } = await withPoison(memory);
  const worker = open('other language', { reportsBegun: true });
  await clock.advance(100);
  await submit('a');
  await clock.advance(1_000);
  expect(worker.keys()).toEqual(['b']);
  expect(await headOf('b')).toMatchObject({ state: 'running', begun: false });
});
