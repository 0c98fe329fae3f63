import { expect } from 'vitest';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { type Bench, ids, queue, refusal } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** One task in each state, oldest first, a second apart. */
async function oneOfEach(bench: Bench): Promise<Record<string, Snapshot>> {
  const tasks: Record<string, Snapshot> = {};
  const put = async (name: string, task: Promise<Snapshot>): Promise<void> => {
    tasks[name] = await task;
    await bench.clock.advance(1_000);
  };
  const claimed = async (): Promise<Snapshot> => bench.claim(await bench.accept());
  await put('ready', bench.accept());
  await put('scheduled', bench.accept({ options: { delayMs: 3_600_000 } }));
  await put('running', claimed());
  await put(
    'retrying',
    claimed().then((task) => bench.fail(task, 3_600_000)),
  );
  await put(
    'snoozed',
    claimed().then((task) => bench.snooze(task, 3_600_000)),
  );
  await put(
    'succeeded',
    claimed().then((task) => bench.succeed(task)),
  );
  await put(
    'dead',
    claimed().then((task) => bench.die(task)),
  );
  await put(
    'cancelled',
    bench.accept().then((task) => bench.cancel(task)),
  );
  return tasks;
}

export const lists: Subject = (says) => {
  says('a list is newest first and shows tasks whole', async (bench) => {
    const tasks = Object.values(await oneOfEach(bench));
    const { items } = await bench.listAll();
    expect(items).toEqual(tasks.toReversed());
  });

  says('a list shows one tenant’s queue', async (bench) => {
    const mine = await bench.accept();
    await bench.accept({ queue: 'other' });
    await bench.accept({ tenant: 'other' });
    expect(ids((await bench.listAll()).items)).toEqual([mine.id]);
    expect((await bench.listAll({ queue: 'nobody' })).items).toEqual([]);
  });

  says('each state has its list', async (bench) => {
    const tasks = await oneOfEach(bench);
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
      const { items } = await bench.listAll({ state: state as keyof typeof expected });
      expect(ids(items), state).toEqual(names.map((name) => tasks[name]?.id));
    }
  });

  says('a list by state follows the task', async (bench) => {
    const dead = await bench.die(await bench.accept());
    const redriven = await bench.redrive(dead);
    expect((await bench.listAll({ state: 'dead' })).items).toEqual([]);
    await bench.cancel(redriven);
    expect(ids((await bench.listAll({ state: 'cancelled' })).items)).toEqual([dead.id]);
  });

  says('lists by type, tag and time of acceptance, alone and together', async (bench) => {
    const startMs = bench.now;
    const asked = [
      { type: 'a', options: { tags: ['eu'] } },
      { type: 'b', options: { tags: ['eu', 'big'] } },
      { type: 'a', options: { tags: ['bigger'] } },
      { type: 'b' },
    ];
    const tasks: Snapshot[] = [];
    for (const one of asked) {
      tasks.push(await bench.accept(one));
      await bench.clock.advance(1_000);
    }
    const list = async (filter: Parameters<Bench['listAll']>[0]): Promise<number[]> =>
      (await bench.listAll(filter)).items.map((item) => tasks.findIndex((task) => task.id === item.id));
    expect(await list({ type: 'a' })).toEqual([2, 0]);
    expect(await list({ tag: 'eu' })).toEqual([1, 0]);
    expect(await list({ tag: 'big' })).toEqual([1]);
    expect(await list({ tag: 'BIG' })).toEqual([]);
    expect(await list({ acceptedFromMs: startMs + 1_000 })).toEqual([3, 2, 1]);
    expect(await list({ acceptedUntilMs: startMs + 1_000 })).toEqual([0]);
    expect(await list({ acceptedFromMs: startMs + 1_000, acceptedUntilMs: startMs + 3_000 })).toEqual([2, 1]);
    expect(await list({ type: 'b', tag: 'eu', state: 'ready' })).toEqual([1]);
    expect(await list({ type: 'b', state: 'dead' })).toEqual([]);
  });

  says('pages join without a gap or a repeat, also within one millisecond', async (bench) => {
    const tasks = await bench.acceptMany(23);
    await bench.clock.advance(1);
    tasks.push(...(await bench.acceptMany(4)));
    for (const limit of [1, 4, 27, 100]) {
      const { items } = await bench.listAll({}, limit);
      expect(ids(items).toSorted()).toEqual(ids(tasks).toSorted());
    }
  });

  says('what is accepted meanwhile does not move the pages of a list', async (bench) => {
    const tasks: Snapshot[] = [];
    for (let i = 0; i < 6; i++) {
      tasks.push(await bench.accept());
      await bench.clock.advance(1);
    }
    const first = await bench.store.list({ ...queue }, { limit: 3, cursor: undefined, nowMs: bench.now });
    await bench.acceptMany(5);
    const rest = await bench.store.list({ ...queue }, { limit: 3, cursor: first.cursor, nowMs: bench.now });
    expect(ids([...first.items, ...rest.items])).toEqual(ids(tasks).toReversed());
  });

  says('a lane’s list is its unfinished tasks in their order', async (bench) => {
    const [a, b, c] = await bench.acceptMany(3, () => ({ orderingKey: 'ann' }));
    const other = await bench.accept({ orderingKey: 'bob' });
    await bench.accept();
    if (!a || !b || !c) expect.fail();
    const list = async (limit: number) => ids((await bench.listAll({ orderingKey: 'ann' }, limit)).items);
    expect(await list(2)).toEqual([a.id, b.id, c.id]);
    const done = await bench.succeed(await bench.claim(a));
    expect(await list(2)).toEqual([b.id, c.id]);
    await bench.store.leave(bench.lane('ann'), a.id);
    await bench.handedOver(done);
    expect(await list(1)).toEqual([b.id, c.id]);
    expect(ids((await bench.listAll({ orderingKey: 'bob' })).items)).toEqual([other.id]);
  });

  says('a lane’s list may be filtered further', async (bench) => {
    const eu = { tags: ['eu'] };
    const first = await bench.accept({ orderingKey: 'ann', options: eu });
    await bench.clock.advance(1_000);
    await bench.accept({ orderingKey: 'ann' });
    const third = await bench.claim(await bench.accept({ orderingKey: 'ann', type: 'other', options: eu }));
    const list = async (filter: Parameters<Bench['listAll']>[0]) =>
      ids((await bench.listAll({ orderingKey: 'ann', ...filter }, 1)).items);
    expect(await list({ tag: 'eu' })).toEqual([first.id, third.id]);
    expect(await list({ type: 'other' })).toEqual([third.id]);
    expect(await list({ state: 'running' })).toEqual([third.id]);
    expect(await list({ acceptedUntilMs: bench.now })).toEqual([first.id]);
    expect(await list({ acceptedFromMs: bench.now, state: 'ready' })).toHaveLength(1);
  });

  says('a task that was redriven from a released lane is listed at the tail', async (bench) => {
    const first = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    await bench.store.leave(bench.lane('ann'), first.id);
    const second = await bench.accept({ orderingKey: 'ann' });
    await bench.redrive(await bench.handedOver(first), true);
    const { items } = await bench.listAll({ orderingKey: 'ann' });
    expect(ids(items)).toEqual([second.id, first.id]);
  });

  says('a page looks at no more tasks than it may, says how many, and its cursor goes on', async (bench) => {
    const most = bench.store.limits.pageExamined;
    const rare = await bench.accept({ options: { tags: ['rare'] } });
    await bench.clock.advance(1);
    await bench.acceptMany(most + 50);
    const { items, examined } = await bench.listAll({ tag: 'rare' });
    expect(ids(items)).toEqual([rare.id]);
    expect(Math.max(...examined)).toBeLessThanOrEqual(most);
    expect(examined.length).toBeGreaterThan(1);
  });

  says('dead, cancelled and retrying tasks are found at once among many others', async (bench) => {
    const dead = await bench.die(await bench.accept());
    const cancelled = await bench.cancel(await bench.accept());
    const retrying = await bench.fail(await bench.claim(await bench.accept()));
    await bench.clock.advance(1);
    await bench.acceptMany(bench.store.limits.pageExamined + 50);
    for (const [state, task] of Object.entries({ dead, cancelled, retrying } as const)) {
      const filter = { ...queue, state: state as 'dead' };
      const page = await bench.store.list(filter, { limit: 10, cursor: undefined, nowMs: bench.now });
      expect(ids(page.items), state).toEqual([task.id]);
    }
  });

  says('a cursor that no list of this engine gave is refused', async (bench) => {
    await bench.acceptMany(3);
    const first = await bench.store.list({ ...queue }, { limit: 1, cursor: undefined, nowMs: bench.now });
    const bad = ['x', '', 'AAAA', `${first.cursor}!`, (first.cursor ?? '').slice(1), '{"a":1}', '0', '☃'];
    for (const cursor of bad) {
      const error = await refusal(bench.store.list({ ...queue }, { limit: 1, cursor, nowMs: bench.now }));
      expect(error, cursor).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FIELD' });
      expect(error.violations[0]?.field).toBe('cursor');
    }
  });

  says('counts are of one queue, by what is shown', async (bench) => {
    await oneOfEach(bench);
    await bench.accept({ queue: 'other' });
    const counts = await bench.store.counts(queue, bench.now);
    expect(counts).toEqual({ scheduled: 3, ready: 1, running: 1, dead: 1 });
    const nobody = await bench.store.counts({ tenant: 'acme', queue: 'nobody' }, bench.now);
    expect(nobody).toEqual({ scheduled: 0, ready: 0, running: 0, dead: 0 });
  });
};
