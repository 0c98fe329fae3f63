import { expect } from 'vitest';
import type { Limits } from '../../src/core/limits.ts';
import type { TaskStore } from '../../src/ports/task-store.ts';
import { noOptions, specOf } from '../fixtures/api-node.ts';
import { nodeOn } from './explained.ts';
import type { Subject } from './subject.ts';

const tenant = 'default';
const queue = { tenant, queue: 'explained' };
const mayRead = (): boolean => true;
const request = { tenant, queue: queue.queue, mayRead };

/** Returns a store that names other limits to its callers. */
function withLimits(store: TaskStore, more: Partial<Limits>): TaskStore {
  const limits = { ...store.limits, ...more };
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === 'limits') return limits;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Requirements of the list of unfinished tasks that are in trouble, as a node reads it from its engine. */
export const trouble: Subject = (requires) => {
  requires(
    'unfinished tasks in trouble are grouped by their cause, and the others are counted',
    async (fixture) => {
      const { service, submit, settle, claim, clock } = await nodeOn(fixture);
      await service.updateQueue(queue, { onDead: 'hold', create: true }, 'alice');
      const first = await submit('first', { spec: specOf('{}', 'note', 'lane') });
      await settle('fatal', { message: 'bad address' });
      const held = await submit('held', { spec: specOf('{}', 'note', 'lane') });
      const others: string[] = [];
      for (let i = 0; i < 7; i++) {
        await clock.advance(10);
        others.push(await submit(`other-${i}`, { spec: specOf('{}', 'other') }));
      }
      const failing = [await submit('f-1')];
      await settle('failed', { message: 'no route to host 17' });
      failing.push(await submit('f-2'));
      await settle('failed', { message: 'no route to host 4' });
      const done = await submit('done');
      await settle('succeeded');
      await submit('later', { options: { ...noOptions, delayMs: 60_000 } });
      const running = await submit('running');
      await claim();
      const view = await service.trouble(request);
      expect(view.groups).toMatchObject([
        {
          ...{ code: 'NO_WORKER_FOR_TYPE', queue: 'explained', count: 7, oldestIds: others.slice(0, 5) },
          sentence: "7 tasks of type 'other' wait: no worker of queue 'explained' handles this type.",
          next: "holdfast worker <module with a handler of 'other'>",
        },
        {
          ...{ code: 'BACKOFF', count: 2, sinceMs: expect.any(Number) },
          sentence: expect.stringMatching(
            /^2 tasks of type 'note' failed and wait for a next attempt: no route to host \d+\.$/,
          ),
        },
        {
          ...{ code: 'LANE_HELD_BY_DEAD', count: 1, oldestIds: [held], next: `holdfast redrive ${first}` },
          sentence: `Lane 'lane' of queue 'explained' is held by dead task ${first}: 1 task waits.`,
        },
      ]);
      expect([...(view.groups[1]?.oldestIds ?? [])].sort()).toEqual(failing.sort());
      expect(Object.fromEntries(view.healthy)).toEqual({ NOT_DUE: 1, RUNNING: 1 });
      expect(view).toMatchObject({ explained: 12, unexplained: 0, moreGroups: 0, cutQueues: [] });
      expect(view.examined).toBeGreaterThanOrEqual(12);
      const named = view.groups.flatMap(({ oldestIds }) => oldestIds);
      expect(named).not.toContain(done);
      await clock.advance(20_000);
      expect((await service.trouble(request)).groups).toContainEqual(
        expect.objectContaining({ code: 'RUNNING_SILENT', count: 1, oldestIds: [running] }),
      );
    },
  );

  requires(
    'a paused queue is trouble even if no task waits, with the identity that paused it and since when',
    async (fixture) => {
      const { service, submit, clock } = await nodeOn(fixture);
      await service.updateQueue(queue, { paused: true, create: true }, 'alice');
      const sinceMs = clock.now();
      await clock.advance(60_000);
      await service.updateQueue(queue, { paused: true }, 'bob');
      const paused = { code: 'QUEUE_PAUSED', sinceMs, evidence: { queue: 'explained', actor: 'alice' } };
      const sentence = "Queue 'explained' was paused 1 min ago by alice: 0 tasks wait.";
      expect((await service.trouble(request)).groups).toMatchObject([{ ...paused, count: 0, sentence }]);
      const id = await submit('a');
      const [only, ...others] = (await service.trouble(request)).groups;
      expect(only).toMatchObject({ ...paused, count: 1, oldestIds: [id] });
      expect(others).toEqual([]);
      await service.updateQueue(queue, { paused: false }, 'bob');
      expect((await service.trouble(request)).groups).toMatchObject([{ code: 'NO_WORKER', count: 1 }]);
    },
  );

  requires(
    'a list of trouble ends at its bounds and names the queues that have older tasks',
    async (fixture) => {
      const bounds = { pageItems: 2, troubleExplained: 4, troubleLanes: 1, troubleGroups: 1 };
      const node = await nodeOn(fixture, withLimits(fixture.engine.store, bounds));
      const times: number[] = [];
      for (let i = 0; i < 6; i++) {
        times.push(node.clock.now());
        await node.submit(`k-${i}`);
        await node.clock.advance(10);
      }
      expect(await node.service.trouble(request)).toMatchObject({
        ...{ explained: 4, groups: [{ code: 'NO_WORKER', count: 4 }] },
        cutQueues: [{ queue: 'explained', examinedUntilMs: times[2] }],
      });
      await node.submit('lane-a', { spec: specOf('{}', 'note', 'a') });
      await node.submit('lane-b', { spec: specOf('{}', 'note', 'b') });
      const bounded = await node.service.trouble(request);
      expect(bounded).toMatchObject({ explained: 3, unexplained: 1 });
    },
  );

  requires('a list of trouble has only the tasks of queues that the caller may read', async (fixture) => {
    const { service, submit } = await nodeOn(fixture);
    await submit('a');
    const other = { tenant, queue: undefined, mayRead: (name: string) => name !== queue.queue };
    expect(await service.trouble(other)).toMatchObject({ groups: [], explained: 0, examined: 0 });
    const all = await service.trouble({ tenant, queue: undefined, mayRead });
    expect(all.groups).toMatchObject([{ code: 'NO_WORKER', queue: queue.queue, count: 1 }]);
    await expect(service.trouble({ ...request, queue: 'none' })).rejects.toMatchObject({
      reason: 'QUEUE_UNKNOWN',
    });
    expect(await service.trouble({ tenant: 'acme', queue: undefined, mayRead })).toMatchObject({
      groups: [],
    });
  });
};
