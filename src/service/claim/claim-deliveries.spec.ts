import { expect, test } from 'vitest';
import { item, specOf } from '../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Faults } from '../../engines/memory/faults.ts';
import type { Broker } from '../../ports/broker.ts';
import { silentLog } from '../../ports/log.ts';
import type { Change, LaneKey, TaskId, TaskStore, WriteOutcome } from '../../ports/task-store.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const tenant = 'default';
const target = { tenant, queue: 'q' };
const busy = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'throttled by the test');

/** Starts a node with an external broker, on a store that the test can make fail. */
async function startNode(
  keys: readonly string[],
  orderingKey?: string | ((key: string) => string | undefined),
) {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const failing = { appends: 0, reads: 0, lowestReads: 0, race: undefined as TaskId | undefined };
  const wrapped: Partial<Record<keyof TaskStore, unknown>> = {
    append: async (batch: readonly Change[]): Promise<readonly WriteOutcome[]> => {
      if (failing.appends-- > 0) return batch.map(() => ({ kind: 'failed', error: busy }));
      const races = batch.filter(({ id }) => id === failing.race);
      failing.race = undefined;
      const outcomes = await engine.store.append(batch.filter((change) => !races.includes(change)));
      // The claim is answered with a conflict, as if another writer had changed the task first, but the task is unchanged.
      const [current] = await engine.store.read(
        races.map(({ id }) => id),
        clock.now(),
      );
      if (races.length > 0) failing.lowestReads = 1;
      return [...outcomes, ...races.map(() => ({ kind: 'conflict' as const, current }))];
    },
    read: async (ids: readonly TaskId[], nowMs: number) =>
      failing.reads-- > 0 ? Promise.reject(busy) : engine.store.read(ids, nowMs),
    readAsSubmitted: undefined,
    isFirst: async (lane: LaneKey, seq: number) =>
      failing.lowestReads-- > 0 ? Promise.reject(busy) : engine.store.isFirst(lane, seq),
  };
  const store = new Proxy(engine.store, {
    get(of, name) {
      if (name in wrapped) return Reflect.get(wrapped, name);
      const value = Reflect.get(of, name) as unknown;
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  const receiveCounts: number[] = [];
  const broker = new Proxy(engine.broker, {
    get(of, name) {
      const value = Reflect.get(of, name) as unknown;
      if (typeof value !== 'function') return value;
      if (name !== 'receive') return value.bind(of);
      return async (...request: Parameters<Broker['receive']>) => {
        const received = await of.receive(...request);
        receiveCounts.push(...received.map((delivery) => delivery.receiveCount));
        return received;
      };
    },
  });
  const options = { ...engine, store, broker, node: 'n', clock, log: silentLog, createQueues: true };
  const { service, settled } = await createService(options);
  const ids = new Map<string, TaskId>();
  for (const key of keys) {
    const lane = typeof orderingKey === 'function' ? orderingKey(key) : orderingKey;
    const spec = specOf('{}', 'note', lane);
    const [task] = await service.submit(target, [item(key, { spec })], { notAfterMs: undefined });
    if (task?.error === undefined && task !== undefined) ids.set(key, task.id);
  }
  const claim = async (): Promise<readonly Assignment[]> => {
    const claimed = await service.claim({
      ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 10, waitMs: 0 },
      ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    await settled();
    return claimed;
  };
  return { clock, failing, claim, ids, receiveCounts, broker: engine.broker };
}

/**
 * How long a delivery stays hidden after its claim failed, in ms. Otherwise it would stay hidden for a whole lease and the
 * clock guard.
 */
const soonMs = 2_000;

test('a delivery whose claim the store could not write becomes visible again after 2 s, or 4 s if the claim fails again', async () => {
  const { clock, failing, claim } = await startNode(['a', 'b']);
  for (const ms of [soonMs, 2 * soonMs, 2 * soonMs]) {
    failing.appends = 1;
    expect(await claim()).toEqual([]);
    await clock.advance(ms - 1);
    expect(await claim()).toEqual([]);
    await clock.advance(1);
  }
  expect((await claim()).map(({ key }) => key)).toEqual(['a', 'b']);
});

test('a delivery whose task could not be read becomes visible again after 2 s', async () => {
  const { clock, failing, claim } = await startNode(['a']);
  failing.reads = 1;
  await expect(claim()).rejects.toBe(busy);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('a delivery whose task cannot be read is replaced with a new message at its 50th receive, before SQS makes it a dead letter', async () => {
  const { clock, failing, claim, receiveCounts } = await startNode(['a']);
  for (let i = 0; i < 120; i++) {
    failing.reads = 1;
    await claim().catch((error: unknown) => expect(error).toBe(busy));
    await clock.advance(2 * soonMs);
  }
  expect(receiveCounts.length).toBeGreaterThan(100);
  expect(Math.max(...receiveCounts)).toBe(50);
  failing.reads = 0;
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('a delivery of a task in a lane becomes visible again after 2 s if the lane’s first task could not be read', async () => {
  const { clock, failing, claim } = await startNode(['a'], 'lane');
  failing.lowestReads = 1;
  await expect(claim()).rejects.toBe(busy);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('a claimed task reaches its worker even if another claim of the same batch fails at its second try', async () => {
  const { clock, failing, claim, ids } = await startNode(['a', 'b'], (key) =>
    key === 'b' ? 'lane' : undefined,
  );
  failing.race = ids.get('b');
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['b']);
});

test('of two messages of one task that are received together one is deleted, so that none holds back the other later', async () => {
  const { clock, claim, ids, broker } = await startNode(['a']);
  const [id = ''] = ids.values();
  const message = {
    id,
    queue: target,
    priority: 'normal',
    type: 'note',
    typeVersion: 1,
    version: 1,
  } as const;
  await broker.send([{ ...message, reason: 'due' }]);
  const [first] = await claim();
  expect(first?.key).toBe('a');
  // The worker is lost: its lease ends, and the only message that is left comes back.
  await clock.advance(timing.leaseMs + timing.clockGuardMs);
  const want = { types: [{ type: 'note', maxVersion: 1 }], room: () => ({ tasks: 10, bytes: 1_000 }) };
  const signal = new AbortController().signal;
  expect(await broker.receive([target], { ...want, waitMs: 0, signal })).toHaveLength(1);
});

test.each([0, 3])(
  'a task whose claim is recorded but not answered, by a store that is away for %i s then, is released and loses nothing',
  async (awayS) => {
    const clock = virtualClock();
    const lost = new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'the test lost the answer');
    const faults: Faults = {};
    const engine = externalMemory({ clock, faults });
    const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
    const { service } = await createService(options);
    const [task] = await service.submit(target, [item('a')], { notAfterMs: undefined });
    const id = task !== undefined && task.error === undefined ? task.id : '';
    const claim = () =>
      service.claim({
        ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
        ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
      });
    faults.after = ({ name }) => (name === 'store.append' ? Promise.reject(lost) : undefined);
    await claim().catch((error: unknown) => expect(error).toBe(lost));
    delete faults.after;
    const isAway = (): boolean => clock.monotonic() < awayS * 1_000;
    faults.before = ({ name }) => (name.startsWith('store.') && isAway() ? Promise.reject(lost) : undefined);
    await clock.advance(8_000);
    expect(await claim()).toMatchObject([{ id, attempt: 1 }]);
    const history = await service.history(tenant, id, 0);
    expect(history.map(({ kind }) => kind)).toEqual(['submitted', 'claimed', 'claimReleased', 'claimed']);
    expect(history[2]).toMatchObject({ countsAsRelease: false, retryAtMs: undefined });
  },
);

test('a task whose claim was not recorded and not answered is claimed some seconds later', async () => {
  const clock = virtualClock();
  const lost = new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'the test lost the request');
  const faults: Faults = {};
  const engine = externalMemory({ clock, faults });
  const options = { ...engine, node: 'n', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  await service.submit(target, [item('a')], { notAfterMs: undefined });
  const claim = () =>
    service.claim({
      ...{ tenant, queues: ['q'], types: [{ type: 'note', maxVersion: 1 }], maxTasks: 1, waitMs: 0 },
      ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
  faults.before = ({ name }) => (name === 'store.append' ? Promise.reject(lost) : undefined);
  await claim().catch((error: unknown) => expect(error).toBe(lost));
  delete faults.before;
  await clock.advance(1_000);
  expect(await claim()).toEqual([]);
  await clock.advance(soonMs);
  expect(await claim()).toMatchObject([{ key: 'a', attempt: 1 }]);
});
