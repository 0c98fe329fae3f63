import { expect, test } from 'vitest';
import { item, specOf } from '../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Broker } from '../../ports/broker.ts';
import { silentLog } from '../../ports/log.ts';
import type { Change, LaneKey, Outcome, TaskId, TaskStore } from '../../ports/task-store.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { createService } from '../create-service.ts';

const tenant = 'default';
const target = { tenant, queue: 'q' };
const busy = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'throttled by the test');

/** A node whose bells live apart from its store, and a store that the test can make fail. */
async function given(keys: readonly string[], orderingKey?: string | ((key: string) => string | undefined)) {
  const clock = virtualClock();
  const engine = externalMemory({ clock });
  const failing = { appends: 0, reads: 0, lowests: 0, race: undefined as TaskId | undefined };
  const wrapped: Partial<Record<keyof TaskStore, unknown>> = {
    append: async (batch: readonly Change[]): Promise<readonly Outcome[]> => {
      if (failing.appends-- > 0) return batch.map(() => ({ kind: 'failed', error: busy }));
      const races = batch.filter(({ id }) => id === failing.race);
      failing.race = undefined;
      const outcomes = await engine.store.append(batch.filter((change) => !races.includes(change)));
      // It lost a race, and whoever won left the task as it was.
      const [current] = await engine.store.read(
        races.map(({ id }) => id),
        clock.now(),
      );
      if (races.length > 0) failing.lowests = 1;
      return [...outcomes, ...races.map(() => ({ kind: 'refused' as const, current }))];
    },
    read: async (ids: readonly TaskId[], nowMs: number) =>
      failing.reads-- > 0 ? Promise.reject(busy) : engine.store.read(ids, nowMs),
    readAsSubmitted: undefined,
    lowest: async (lane: LaneKey) =>
      failing.lowests-- > 0 ? Promise.reject(busy) : engine.store.lowest(lane),
  };
  const store = new Proxy(engine.store, {
    get(of, name) {
      if (name in wrapped) return Reflect.get(wrapped, name);
      const value = Reflect.get(of, name) as unknown;
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  const receiveCount: number[] = [];
  const broker = new Proxy(engine.broker, {
    get(of, name) {
      const value = Reflect.get(of, name) as unknown;
      if (typeof value !== 'function') return value;
      if (name !== 'receive') return value.bind(of);
      return async (...asked: Parameters<Broker['receive']>) => {
        const received = await of.receive(...asked);
        receiveCount.push(...received.map((delivery) => delivery.receiveCount));
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
  return { clock, failing, claim, ids, receiveCount };
}

/** Much less than a lease and its guard, after which every bell comes back by itself. */
const soonMs = 2_000;

test('a task whose claim the store did not take is heard again soon, later each time, up to four seconds', async () => {
  const { clock, failing, claim } = await given(['a', 'b']);
  for (const ms of [soonMs, 2 * soonMs, 2 * soonMs]) {
    failing.appends = 1;
    expect(await claim()).toEqual([]);
    await clock.advance(ms - 1);
    expect(await claim()).toEqual([]);
    await clock.advance(1);
  }
  expect((await claim()).map(({ key }) => key)).toEqual(['a', 'b']);
});

test('so is one that could not even be read', async () => {
  const { clock, failing, claim } = await given(['a']);
  failing.reads = 1;
  await expect(claim()).rejects.toBe(busy);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('one that cannot be read for long is rung anew at its 50th receive, long before SQS takes it for poison', async () => {
  const { clock, failing, claim, receiveCount } = await given(['a']);
  for (let i = 0; i < 120; i++) {
    failing.reads = 1;
    await claim().catch((error: unknown) => expect(error).toBe(busy));
    await clock.advance(2 * soonMs);
  }
  expect(receiveCount.length).toBeGreaterThan(100);
  expect(Math.max(...receiveCount)).toBe(50);
  failing.reads = 0;
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('and one of a lane whose first could not be asked for', async () => {
  const { clock, failing, claim } = await given(['a'], 'lane');
  failing.lowests = 1;
  await expect(claim()).rejects.toBe(busy);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
});

test('what was claimed reaches its worker though another one could not be decided again', async () => {
  const { clock, failing, claim, ids } = await given(['a', 'b'], (key) => (key === 'b' ? 'lane' : undefined));
  failing.race = ids.get('b');
  expect((await claim()).map(({ key }) => key)).toEqual(['a']);
  await clock.advance(soonMs);
  expect((await claim()).map(({ key }) => key)).toEqual(['b']);
});
