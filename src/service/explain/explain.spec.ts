import { describe, expect, it } from 'vitest';
import { ensureAccepted, item } from '../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../core/errors.ts';
import { memory } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import type { DependencyLoad, Overload } from '../../ports/overload.ts';
import { startRuntime } from '../../runtime/runtime.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService, type ServiceOptions } from '../create-service.ts';
import type { WorkerHello } from '../service.ts';

const tenant = 'default';
const queue = { tenant, queue: 'q' };
const hello: WorkerHello = {
  ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], types: [{ type: 'note', maxVersion: 1 }] },
  ...{ tasks: 1, bytes: 1_000_000, reportsBegun: true },
};
const quiet: DependencyLoad = {
  ...{ title: 'The table', state: 'closed', opened: 0, throttled: 0, failed: 0, inFlight: 0, waiting: 0 },
  ...{ troubledSinceMs: undefined, retryAtMs: undefined },
};

function overloadOf(load: () => Partial<DependencyLoad>): Overload {
  const submissions = { admitted: 0, refused: 0, inFlight: 0, limit: 1 };
  return {
    admit: () => () => {},
    view: () => ({ dependencies: { table: { ...quiet, ...load() } }, submissions }),
  };
}

async function nodeWith(engineOf = memory, more: Partial<ServiceOptions> = {}) {
  const clock = virtualClock();
  const engine = engineOf({ clock });
  const start = (node: string) =>
    createService({ ...engine, ...more, node, clock, log: silentLog, createQueues: true });
  const running = await start('n');
  const { service } = running;
  return {
    ...{ clock, engine, service, running, start },
    open: (more: Partial<WorkerHello> = {}) =>
      service.openSession({ ...hello, ...more }, { assign() {}, cancel() {}, drain() {} }),
    async submit(key: string): Promise<string> {
      const [result] = await service.submit(queue, [item(key)], { notAfterMs: undefined });
      await clock.settle();
      return ensureAccepted(result).id;
    },
    verdict: async (id: string, by = service) => (await by.explain(tenant, id)).verdict,
  };
}

describe('the explanation of a task', () => {
  it('knows which streams of this node have room: one task is reserved, the next waits for a full worker', async () => {
    const { open, submit, verdict, clock } = await nodeWith();
    const session = open();
    const [first, next] = [await submit('a'), await submit('b')];
    session.received(1);
    expect(await verdict(first)).toMatchObject({ code: 'RESERVED', evidence: { worker: 'w/1' } });
    expect(await verdict(next)).toMatchObject({ code: 'WORKERS_FULL', evidence: { workers: 1 } });
    session.begun([1], []);
    expect(await verdict(first)).toMatchObject({ code: 'RUNNING' });
    open({ workerId: '2', types: [{ type: 'other', maxVersion: 1 }] });
    await clock.settle();
    expect(await verdict(next)).toMatchObject({ code: 'WORKERS_FULL', evidence: { workers: 1 } });
  });

  it('knows the workers of other nodes and their room as they are announced, and says how old that is', async () => {
    const { running, start, open, submit, verdict, clock } = await nodeWith(externalMemory);
    const { service: other } = await start('other');
    startRuntime(running, { takesPart: false });
    const session = open({ types: [{ type: 'note', maxVersion: 1 }], tasks: 0 });
    const id = await submit('a');
    expect(await verdict(id, other)).toMatchObject({ code: 'NO_WORKER' });
    await clock.advance(5_000);
    await clock.advance(3_000);
    expect(await verdict(id, other)).toMatchObject({
      code: 'WORKERS_FULL',
      sentence:
        "Every worker that handles the type 'note' is full (1 of them), as their servers announced it up to 3 s ago.",
      evidence: { type: 'note', workers: 1, roomAgeMs: 3_000 },
    });
    const own = await verdict(id);
    expect(own).toMatchObject({ code: 'WORKERS_FULL', evidence: { workers: 1 } });
    expect(own.evidence).not.toHaveProperty('roomAgeMs');
    session.close();
    open({ types: [{ type: 'note', maxVersion: 1, tasks: 0 }], workerId: '2' });
    await clock.advance(5_000);
    expect(await verdict(id, other)).toMatchObject({ code: 'WORKERS_FULL', evidence: { roomAgeMs: 3_000 } });
  });

  it('says that a worker may be unknown while the announcements cannot be read', async () => {
    const { engine, submit, verdict } = await nodeWith(externalMemory);
    const id = await submit('a');
    const { list } = engine.registry;
    engine.registry.list = (kind, prefix) =>
      kind === 'worker' ? Promise.reject(new Error('down')) : list.call(engine.registry, kind, prefix);
    expect(await verdict(id)).toMatchObject({ code: 'STARTING' });
  });

  it('names a dependency whose breaker is open, or whose requests fail for 2 s', async () => {
    let load: Partial<DependencyLoad> = {};
    const node = await nodeWith(externalMemory, { overload: overloadOf(() => load) });
    const { open, submit, verdict, clock } = node;
    await node.service.updateQueue(queue, { paused: true, create: true }, 'alice');
    const id = await submit('a');
    await node.service.updateQueue(queue, { paused: false }, 'alice');
    const poll = { tenant, workerName: 'w', workerId: '1', queues: ['q'], types: hello.types };
    node.running.context.pollers.begin({ ...poll, caller: 'alice' });
    load = { troubledSinceMs: clock.now() - 1_000 };
    expect(await verdict(id)).toMatchObject({ code: 'STARTING' });
    load = { troubledSinceMs: clock.now() - 2_000 };
    expect(await verdict(id)).toMatchObject({
      code: 'STORE_THROTTLED',
      evidence: { dependency: 'The table' },
    });
    load = { state: 'open', retryAtMs: clock.now() + 1_000 };
    expect(await verdict(id)).toMatchObject({ code: 'STORE_THROTTLED', untilMs: clock.now() + 1_000 });
    open();
  });

  it('says that the message of a ready task is lost once its queue has had none for a minute, and when it is sent again', async () => {
    const { engine, running, submit, verdict, clock } = await nodeWith(externalMemory);
    let count = 0;
    engine.broker.approximateMessages = () => Promise.resolve(count);
    const acceptedAtMs = clock.now();
    const id = await submit('a');
    const poll = { tenant, workerName: 'w', workerId: '1', queues: ['q'], types: hello.types };
    await clock.advance(59_000);
    running.context.pollers.begin({ ...poll, caller: 'alice' });
    expect(await verdict(id)).toMatchObject({ code: 'STARTING' });
    await clock.advance(1_000);
    count = 1;
    expect(await verdict(id)).toMatchObject({ code: 'STARTING' });
    count = 0;
    expect(await verdict(id)).toMatchObject({ code: 'MESSAGE_LOST', untilMs: acceptedAtMs + 11 * 60_000 });
  });

  it('says that no lease expires yet after a start of the server', async () => {
    const { running, service, submit, verdict, clock } = await nodeWith();
    const id = await submit('a');
    await service.claim({
      ...{ tenant, workerName: 'w', workerId: '1', queues: ['q'], types: hello.types, maxTasks: 1 },
      ...{ waitMs: 0, requestId: '', signal: new AbortController().signal },
    });
    await clock.advance(31_000);
    running.context.leaseGrace.start();
    expect(await verdict(id)).toMatchObject({ code: 'SERVER_GRACE', untilMs: clock.now() + 15_000 });
  });
});

describe('the list of trouble', () => {
  const request = { tenant, queue: undefined, mayRead: () => true };

  it('names a dependency that fails even if no task waits for it, and before all other causes', async () => {
    let load: Partial<DependencyLoad> = {};
    const node = await nodeWith(externalMemory, { overload: overloadOf(() => load) });
    const id = await node.submit('a');
    load = { state: 'open', troubledSinceMs: node.clock.now(), retryAtMs: node.clock.now() + 1_000 };
    const waits = { code: 'NO_WORKER', count: 1, oldestIds: [id] };
    const sentence = 'The table refuses or fails calls: 0 tasks wait.';
    const fails = { code: 'STORE_THROTTLED', queue: '', count: 0, sinceMs: node.clock.now(), sentence };
    expect((await node.service.trouble(request)).groups).toMatchObject([fails, waits]);
    const poll = { tenant, workerName: 'w', workerId: '1', queues: ['q'], types: hello.types };
    node.running.context.pollers.begin({ ...poll, caller: 'alice' });
    expect((await node.service.trouble(request)).groups).toMatchObject([
      {
        code: 'STORE_THROTTLED',
        queue: 'q',
        count: 1,
        sentence: 'The table refuses or fails calls: 1 task waits.',
      },
    ]);
  });

  it('names a dependency for which the tasks cannot even be read, and says that they were not examined', async () => {
    let load: Partial<DependencyLoad> = {};
    const { service, submit, engine } = await nodeWith(externalMemory, { overload: overloadOf(() => load) });
    await submit('a');
    engine.store.list = () => Promise.reject(new HoldfastError('UNAVAILABLE', 'STORE_BUSY', 'It fails.'));
    await expect(service.trouble(request)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    load = { state: 'open' };
    expect(await service.trouble(request)).toMatchObject({
      groups: [{ code: 'STORE_THROTTLED', count: 0 }],
      cutQueues: [{ queue: 'q', examinedUntilMs: undefined }],
    });
  });

  it('has the trouble of other queues although a task of one queue is damaged', async () => {
    const { service, submit, clock, engine } = await nodeWith(externalMemory);
    await submit('a');
    await service.submit({ tenant, queue: 'r' }, [item('a')], { notAfterMs: undefined });
    await clock.settle();
    const list = engine.store.list.bind(engine.store);
    engine.store.list = (filter, page) =>
      filter.queue === 'q'
        ? Promise.reject(new HoldfastError('DATA_LOSS', 'STORE_CORRUPT', 'A task is damaged.'))
        : list(filter, page);
    expect(await service.trouble(request)).toMatchObject({
      groups: [{ code: 'NO_WORKER', queue: 'r', count: 1 }],
      cutQueues: [{ queue: 'q' }],
    });
    await expect(service.trouble({ ...request, queue: 'q' })).rejects.toMatchObject({ code: 'DATA_LOSS' });
  });

  it('reads a page of each queue before the second page of any, so that a long queue hides no other one', async () => {
    const { service, submit, clock, engine } = await nodeWith(externalMemory);
    for (let i = 0; i < 250; i++) await submit(`k-${i}`);
    for (const name of ['r', 's'])
      await service.submit({ tenant, queue: name }, [item('a')], { notAfterMs: undefined });
    await clock.settle();
    const pages: string[] = [];
    const list = engine.store.list.bind(engine.store);
    engine.store.list = (filter, page) => {
      pages.push(filter.queue);
      return list(filter, page);
    };
    expect(await service.trouble(request)).toMatchObject({ explained: 252, cutQueues: [] });
    expect(pages).toEqual(['q', 'r', 's', 'q', 'q']);
  });

  it('begins no further page after 5 s, and names the queues that it did not finish or begin', async () => {
    const { service, submit, clock, engine } = await nodeWith(externalMemory);
    for (let i = 0; i < 101; i++) await submit(`k-${i}`);
    await service.submit({ tenant, queue: 'r' }, [item('a')], { notAfterMs: undefined });
    await clock.settle();
    const list = engine.store.list.bind(engine.store);
    engine.store.list = async (...args) => {
      await clock.sleep(5_000);
      return list(...args);
    };
    const listing = service.trouble(request);
    await clock.advance(5_000);
    expect(await listing).toMatchObject({
      explained: 100,
      cutQueues: [
        { queue: 'q', examinedUntilMs: expect.any(Number) },
        { queue: 'r', examinedUntilMs: undefined },
      ],
    });
  });
});
