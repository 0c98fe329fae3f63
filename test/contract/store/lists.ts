import { expect } from 'vitest';
import type { Snapshot, TaskFilter } from '../../../src/ports/task-store.ts';
import { errorOf, ids, queue, type StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** Accepts one task for each state, one second apart, and returns the tasks by state, in the order of acceptance. */
async function oneOfEach(fixture: StoreFixture): Promise<Record<string, Snapshot>> {
  const tasks: Record<string, Snapshot> = {};
  const add = async (name: string, task: Promise<Snapshot>): Promise<void> => {
    tasks[name] = await task;
    await fixture.clock.advance(1_000);
  };
  const claimed = async (): Promise<Snapshot> => fixture.claim(await fixture.accept());
  await add('ready', fixture.accept());
  await add('scheduled', fixture.accept({ options: { delayMs: 3_600_000 } }));
  await add('running', claimed());
  await add(
    'retrying',
    claimed().then((task) => fixture.fail(task, 3_600_000)),
  );
  await add(
    'snoozed',
    claimed().then((task) => fixture.snooze(task, 3_600_000)),
  );
  await add(
    'succeeded',
    claimed().then((task) => fixture.succeed(task)),
  );
  await add(
    'dead',
    claimed().then((task) => fixture.die(task)),
  );
  await add(
    'cancelled',
    fixture.accept().then((task) => fixture.cancel(task)),
  );
  return tasks;
}

export const lists: Subject = (requires) => {
  requires('a list of tasks is newest first and contains whole tasks', async (fixture) => {
    const tasks = Object.values(await oneOfEach(fixture));
    const { items } = await fixture.listAll();
    expect(items).toEqual(tasks.toReversed());
  });

  requires('a list of tasks contains only the tasks of one queue of one tenant', async (fixture) => {
    const mine = await fixture.accept();
    await fixture.accept({ queue: 'other' });
    await fixture.accept({ tenant: 'other' });
    expect(ids((await fixture.listAll()).items)).toEqual([mine.id]);
    expect((await fixture.listAll({ queue: 'nobody' })).items).toEqual([]);
  });

  requires('a list of tasks may be limited to any task state', async (fixture) => {
    const tasks = await oneOfEach(fixture);
    const expected = {
      ready: ['ready'],
      unfinished: ['snoozed', 'retrying', 'running', 'scheduled', 'ready'],
      scheduled: ['snoozed', 'retrying', 'scheduled'],
      running: ['running'],
      retrying: ['retrying'],
      succeeded: ['succeeded'],
      dead: ['dead'],
      cancelled: ['cancelled'],
    } as const;
    for (const [state, names] of Object.entries(expected)) {
      const { items } = await fixture.listAll({ state: state as keyof typeof expected });
      expect(ids(items), state).toEqual(names.map((name) => tasks[name]?.id));
    }
  });

  requires(
    'a task that changes its state moves from the list of its old state to the list of its new state',
    async (fixture) => {
      const dead = await fixture.die(await fixture.accept());
      const redriven = await fixture.redrive(dead);
      expect((await fixture.listAll({ state: 'dead' })).items).toEqual([]);
      await fixture.cancel(redriven);
      expect(ids((await fixture.listAll({ state: 'cancelled' })).items)).toEqual([dead.id]);
    },
  );

  requires(
    'a list of tasks may be limited by type, tag and time of acceptance, alone and together',
    async (fixture) => {
      const startMs = fixture.now;
      const request = [
        { type: 'a', options: { tags: ['eu'] } },
        { type: 'b', options: { tags: ['eu', 'big'] } },
        { type: 'a', options: { tags: ['bigger'] } },
        { type: 'b' },
      ];
      const tasks: Snapshot[] = [];
      for (const one of request) {
        tasks.push(await fixture.accept(one));
        await fixture.clock.advance(1_000);
      }
      const list = async (filter: Parameters<StoreFixture['listAll']>[0]): Promise<number[]> =>
        (await fixture.listAll(filter)).items.map((item) => tasks.findIndex((task) => task.id === item.id));
      expect(await list({ type: 'a' })).toEqual([2, 0]);
      expect(await list({ tag: 'eu' })).toEqual([1, 0]);
      expect(await list({ tag: 'big' })).toEqual([1]);
      expect(await list({ tag: 'BIG' })).toEqual([]);
      expect(await list({ acceptedFromMs: startMs + 1_000 })).toEqual([3, 2, 1]);
      expect(await list({ acceptedUntilMs: startMs + 1_000 })).toEqual([0]);
      expect(await list({ acceptedFromMs: startMs + 1_000, acceptedUntilMs: startMs + 3_000 })).toEqual([
        2, 1,
      ]);
      expect(await list({ type: 'b', tag: 'eu', state: 'ready' })).toEqual([1]);
      expect(await list({ type: 'b', state: 'dead' })).toEqual([]);
    },
  );

  requires(
    'the pages of a list join without a gap or a repeat, also if tasks were accepted within one millisecond',
    async (fixture) => {
      const tasks = await fixture.acceptMany(23);
      await fixture.clock.advance(1);
      tasks.push(...(await fixture.acceptMany(4)));
      for (const limit of [1, 4, 27, 100]) {
        const { items } = await fixture.listAll({}, limit);
        expect(ids(items).toSorted()).toEqual(ids(tasks).toSorted());
      }
    },
  );

  requires(
    'tasks that are accepted between two pages of a list do not change its later pages',
    async (fixture) => {
      const tasks: Snapshot[] = [];
      for (let i = 0; i < 6; i++) {
        tasks.push(await fixture.accept());
        await fixture.clock.advance(1);
      }
      const first = await fixture.store.list(
        { ...queue },
        { limit: 3, cursor: undefined, nowMs: fixture.now },
      );
      await fixture.acceptMany(5);
      const rest = await fixture.store.list(
        { ...queue },
        { limit: 3, cursor: first.cursor, nowMs: fixture.now },
      );
      expect(ids([...first.items, ...rest.items])).toEqual(ids(tasks).toReversed());
    },
  );

  requires('the list of a lane contains its unfinished tasks in the order of the lane', async (fixture) => {
    const [a, b, c] = await fixture.acceptMany(3, () => ({ orderingKey: 'ann' }));
    const other = await fixture.accept({ orderingKey: 'bob' });
    await fixture.accept();
    if (!a || !b || !c) expect.fail();
    const list = async (limit: number) => ids((await fixture.listAll({ orderingKey: 'ann' }, limit)).items);
    expect(await list(2)).toEqual([a.id, b.id, c.id]);
    const done = await fixture.succeed(await fixture.claim(a));
    expect(await list(2)).toEqual([b.id, c.id]);
    await fixture.store.leaveLane(fixture.lane('ann'), a.id);
    await fixture.finishHandOver(done);
    expect(await list(1)).toEqual([b.id, c.id]);
    expect(ids((await fixture.listAll({ orderingKey: 'bob' })).items)).toEqual([other.id]);
  });

  requires(
    'the list of a lane may also be limited by tag, type, state and time of acceptance',
    async (fixture) => {
      const eu = { tags: ['eu'] };
      const first = await fixture.accept({ orderingKey: 'ann', options: eu });
      await fixture.clock.advance(1_000);
      await fixture.accept({ orderingKey: 'ann' });
      const third = await fixture.claim(
        await fixture.accept({ orderingKey: 'ann', type: 'other', options: eu }),
      );
      const list = async (filter: Parameters<StoreFixture['listAll']>[0]) =>
        ids((await fixture.listAll({ orderingKey: 'ann', ...filter }, 1)).items);
      expect(await list({ tag: 'eu' })).toEqual([first.id, third.id]);
      expect(await list({ type: 'other' })).toEqual([third.id]);
      expect(await list({ state: 'running' })).toEqual([third.id]);
      expect(await list({ acceptedUntilMs: fixture.now })).toEqual([first.id]);
      expect(await list({ acceptedFromMs: fixture.now, state: 'ready' })).toHaveLength(1);
    },
  );

  requires(
    'a task that was redriven after it had left its lane is the last of the lane’s list',
    async (fixture) => {
      const first = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
      await fixture.store.leaveLane(fixture.lane('ann'), first.id);
      const second = await fixture.accept({ orderingKey: 'ann' });
      await fixture.redrive(await fixture.finishHandOver(first), true);
      const { items } = await fixture.listAll({ orderingKey: 'ann' });
      expect(ids(items)).toEqual([second.id, first.id]);
    },
  );

  requires(
    'a page of a list examines no more tasks than the limit, reports their number, and has a cursor to go on',
    async (fixture) => {
      const most = fixture.store.limits.pageExamined;
      const rare = await fixture.accept({ options: { tags: ['rare'] } });
      await fixture.clock.advance(1);
      await fixture.acceptMany(most + 50);
      const { items, examined } = await fixture.listAll({ tag: 'rare' });
      expect(ids(items)).toEqual([rare.id]);
      expect(Math.max(...examined)).toBeLessThanOrEqual(most);
      expect(examined.length).toBeGreaterThan(1);
    },
  );

  requires(
    'the first page of a list of dead, cancelled or retrying tasks finds such a task among many others',
    async (fixture) => {
      const dead = await fixture.die(await fixture.accept());
      const cancelled = await fixture.cancel(await fixture.accept());
      const retrying = await fixture.fail(await fixture.claim(await fixture.accept()));
      await fixture.clock.advance(1);
      await fixture.acceptMany(fixture.store.limits.pageExamined + 50);
      for (const [state, task] of Object.entries({ dead, cancelled, retrying } as const)) {
        const filter = { ...queue, state: state as 'dead' };
        const page = await fixture.store.list(filter, { limit: 10, cursor: undefined, nowMs: fixture.now });
        expect(ids(page.items), state).toEqual([task.id]);
      }
    },
  );

  requires(
    'the pages of a list find the few tasks in a state behind more tasks than one page examines, newest first',
    async (fixture) => {
      const few = { ready: [], running: [], succeeded: [] } as Record<string, Snapshot[]>;
      for (let i = 0; i < 3; i++) {
        few.ready?.push(await fixture.accept());
        const running = await fixture.claim(await fixture.accept());
        few.running?.push(running);
        few.succeeded?.push(await fixture.succeed(await fixture.claim(await fixture.accept())));
        await fixture.clock.advance(1_000);
      }
      const delayed = { options: { delayMs: 3_600_000 } };
      await fixture.acceptMany(fixture.store.limits.pageExamined + 50, () => delayed);
      for (const [state, tasks] of Object.entries(few)) {
        for (const limit of [2, 100]) {
          const { items } = await fixture.listAll({ state: state as 'ready' }, limit);
          expect(ids(items), state).toEqual(ids(tasks).toReversed());
        }
      }
    },
  );

  requires(
    'each page of a list reports the acceptance time of the task that it examined last',
    async (fixture) => {
      const startMs = fixture.now;
      for (let i = 0; i < 4; i++) {
        await fixture.accept({ orderingKey: 'ann', options: { tags: [`t${i}`] } });
        await fixture.clock.advance(1_000);
      }
      const untilOf = async (filter: Partial<TaskFilter>, limit: number): Promise<number | undefined> => {
        const page = { limit, cursor: undefined, nowMs: fixture.now };
        return (await fixture.store.list({ ...queue, ...filter }, page)).examinedUntilMs;
      };
      expect(await untilOf({}, 2)).toBe(startMs + 2_000);
      expect(await untilOf({ tag: 't3' }, 1)).toBe(startMs + 3_000);
      expect(await untilOf({ tag: 'none' }, 10)).toBe(startMs);
      expect(await untilOf({ orderingKey: 'ann' }, 3)).toBe(startMs + 2_000);
      expect(await untilOf({ state: 'dead' }, 10)).toBeUndefined();
      expect(await untilOf({ queue: 'nobody' }, 10)).toBeUndefined();
    },
  );

  requires(
    'tasks that change their state between two pages neither repeat in the later pages nor hide other tasks there',
    async (fixture) => {
      const running: Snapshot[] = [];
      for (let i = 0; i < 6; i++) {
        running.unshift(await fixture.claim(await fixture.accept()));
        await fixture.clock.advance(1_000);
      }
      const [a, b, c, d, e, f] = running as [Snapshot, Snapshot, Snapshot, Snapshot, Snapshot, Snapshot];
      const list = (cursor: string | undefined) =>
        fixture.store.list({ ...queue, state: 'running' }, { limit: 2, cursor, nowMs: fixture.now });
      const first = await list(undefined);
      expect(ids(first.items)).toEqual(ids([a, b]));
      const failed = await fixture.fail(b);
      await fixture.succeed(c);
      await fixture.clock.advance(1_000);
      await fixture.claim(await fixture.makeReady(failed));
      await fixture.claim(await fixture.accept());
      const second = await list(first.cursor);
      expect(ids(second.items)).toEqual(ids([d, e]));
      expect(ids((await list(second.cursor)).items)).toEqual(ids([f]));
    },
  );

  requires(
    'the list of ready tasks contains those that wait behind the first task of their lane',
    async (fixture) => {
      const [first, second, third] = await fixture.acceptMany(3, () => ({ orderingKey: 'ann' }));
      if (!first || !second || !third) expect.fail();
      const readyIds = async () => ids((await fixture.listAll({ state: 'ready' }, 1)).items).toSorted();
      expect(await readyIds()).toEqual(ids([first, second, third]).toSorted());
      await fixture.claim(first);
      expect(await readyIds()).toEqual(ids([second, third]).toSorted());
    },
  );

  requires('a list cursor that this engine did not make is refused', async (fixture) => {
    await fixture.acceptMany(3);
    const first = await fixture.store.list({ ...queue }, { limit: 1, cursor: undefined, nowMs: fixture.now });
    const bad = ['x', '', 'AAAA', `${first.cursor}!`, (first.cursor ?? '').slice(1), '{"a":1}', '0', '☃'];
    for (const cursor of bad) {
      const error = await errorOf(fixture.store.list({ ...queue }, { limit: 1, cursor, nowMs: fixture.now }));
      expect(error, cursor).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
      expect(error.violations[0]?.field).toBe('pageToken');
    }
  });

  requires(
    'the task counts of a queue cover only that queue and use the states that users see',
    async (fixture) => {
      await oneOfEach(fixture);
      await fixture.accept({ queue: 'other' });
      const counts = await fixture.store.counts(queue, fixture.now);
      expect(counts).toEqual({ scheduled: 3, ready: 1, running: 1, dead: 1 });
      const nobody = await fixture.store.counts({ tenant: 'acme', queue: 'nobody' }, fixture.now);
      expect(nobody).toEqual({ scheduled: 0, ready: 0, running: 0, dead: 0 });
    },
  );

  requires('the ready tasks of a queue are counted by their types', async (fixture) => {
    const readySinceMs = fixture.now;
    await fixture.accept({ key: 'a', type: 'mail' });
    await fixture.clock.advance(5_000);
    const running = await fixture.accept({ key: 'b', type: 'mail' });
    await fixture.accept({ key: 'c', type: 'mail' });
    await fixture.accept({ key: 'd', type: 'pdf' });
    await fixture.accept({ key: 'e', type: 'mail', queue: 'other' });
    await fixture.claim(running);
    const groups = await fixture.store.readyByType(queue, fixture.now);
    expect(groups.toSorted((a, b) => (a.type < b.type ? -1 : 1))).toEqual([
      { type: 'mail', typeVersion: 1, tasks: 2, readySinceMs },
      { type: 'pdf', typeVersion: 1, tasks: 1, readySinceMs: readySinceMs + 5_000 },
    ]);
  });

  requires(
    'a task that waits for its turn in a lane is not the one that has been ready for longest',
    async (fixture) => {
      const lane = { orderingKey: 'lane', type: 'mail' };
      const first = await fixture.accept({ key: 'a', ...lane });
      await fixture.accept({ key: 'b', ...lane });
      await fixture.claim(first);
      await fixture.clock.advance(5_000);
      expect(
        (await fixture.store.readyByType(queue, fixture.now)).filter(
          (group) => group.readySinceMs !== undefined,
        ),
      ).toEqual([]);
    },
  );
};
