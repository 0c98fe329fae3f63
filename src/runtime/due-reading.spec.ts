import { expect, test } from 'vitest';
import type { DueEntry, TaskStore } from '../ports/task-store.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { DueReading, type Look } from './due-reading.ts';

/** A reading of one shard whose index has the given entries, with room for some entries of each queue. */
function startReading(roomOfQueue: number) {
  const clock = virtualClock();
  const index: DueEntry[] = [];
  const waiting = new Map<string, DueEntry[]>();
  const known = new Set<string>();
  let entriesRead = 0;
  const due: TaskStore['due'] = async (_shard, nowMs, limit, after) => {
    const isAfter = ({ id, dueAtMs }: DueEntry): boolean =>
      after === undefined || dueAtMs > after.dueAtMs || (dueAtMs === after.dueAtMs && id > after.id);
    const found = index
      .filter((entry) => entry.dueAtMs <= nowMs && isAfter(entry))
      .sort((a, b) => a.dueAtMs - b.dueAtMs || (a.id < b.id ? -1 : 1));
    const entries = found.slice(0, limit);
    entriesRead += entries.length;
    return { entries, next: found.length > limit ? entries.at(-1) : undefined };
  };
  const waitingOf = (queue: string): DueEntry[] => {
    const entries = waiting.get(queue) ?? [];
    waiting.set(queue, entries);
    return entries;
  };
  const reading = new DueReading({
    ...{ shard: 0, clock, store: { due } as unknown as TaskStore },
    take(entry) {
      if (known.has(entry.id)) return true;
      if (waitingOf(entry.queueTag).length >= roomOfQueue) return false;
      known.add(entry.id);
      waitingOf(entry.queueTag).push(entry);
      return true;
    },
    needsMore: ({ queueTag }) => waitingOf(queueTag).length < roomOfQueue / 2,
  });
  let numbers = 0;
  return {
    clock,
    waitingOf,
    add(queue: string, count: number, dueAtMs = clock.now()) {
      for (let i = 0; i < count; i++) {
        const id = `${queue}-${String(numbers++).padStart(7, '0')}`;
        index.push({ id, dueAtMs, tenantTag: 't', queueTag: queue });
      }
    },
    /** Acts on so many waiting entries of a queue. Returns how many there were. */
    actOn(queue: string, count: number): number {
      const acted = waitingOf(queue).splice(0, count);
      for (const entry of acted) index.splice(index.indexOf(entry), 1);
      return acted.length;
    },
    lookAt: (look: Look) => reading.look(look),
    look: () => reading.look({ isWanted: () => true, pageRead: () => {} }),
    readIn: async (work: () => Promise<unknown>): Promise<number> => {
      const before = entriesRead;
      await work();
      return entriesRead - before;
    },
  };
}

test('an entry behind 30,000 of a queue without room is found by the look after it has become due', async () => {
  const { clock, add, look, waitingOf } = startReading(1_000);
  add('large', 30_000);
  while (await look()) await clock.advance(1);
  for (let i = 0; i < 20; i++) {
    await clock.advance(500);
    add('small', 1);
    await look();
    expect(waitingOf('small')).toHaveLength(i + 1);
  }
  expect(waitingOf('large')).toHaveLength(1_000);
});

test('an entry behind 30,000 of another queue is found by the first pass, which takes some looks', async () => {
  const { clock, add, look, waitingOf } = startReading(1_000);
  add('large', 30_000, clock.now() - 60_000);
  add('small', 1, clock.now() - 50_000);
  let looks = 1;
  while (await look()) looks++;
  expect(looks).toBe(4);
  expect(waitingOf('small')).toHaveLength(1);
});

test('all entries of two queues with many are read in the end, though neither has room for them at once', async () => {
  const { clock, add, look, actOn, readIn } = startReading(1_000);
  add('one', 5_000, clock.now() - 1);
  add('other', 5_000);
  let acted = 0;
  const read = await readIn(async () => {
    for (let looks = 0; acted < 10_000; looks++) {
      expect(looks).toBeLessThan(60);
      await look();
      acted += actOn('one', 400) + actOn('other', 400);
      await clock.advance(500);
    }
  });
  expect(read).toBeLessThan(20 * 10_000);
});

test('while a queue has entries enough, looks read only the entries of the last seconds', async () => {
  const { clock, add, look, readIn } = startReading(1_000);
  add('large', 30_000);
  while (await look()) await clock.advance(1);
  await clock.advance(10_000);
  await look();
  add('large', 20);
  await clock.advance(500);
  expect(await readIn(look)).toBe(20);
});

test('an entry that appears in the index a minute late is found by the next whole pass', async () => {
  const { clock, add, look, waitingOf } = startReading(1_000);
  add('large', 5_000);
  while (await look()) await clock.advance(1);
  await clock.advance(60_000);
  add('late', 1, clock.now() - 60_000);
  while (await look()) await clock.advance(1);
  expect(waitingOf('late')).toHaveLength(1);
});

test('a shard with few entries is read with one page a look', async () => {
  const { clock, add, look, waitingOf } = startReading(1_000);
  for (let i = 0; i < 10; i++) {
    add('q', 10);
    expect(await look()).toBe(false);
    expect(waitingOf('q')).toHaveLength(10 * (i + 1));
    await clock.advance(1_000);
  }
});

test('a shard that is not wanted any more is read no further', async () => {
  const { add, waitingOf, lookAt } = startReading(10_000);
  add('q', 3_000);
  let pages = 0;
  await lookAt({ isWanted: () => pages === 0, pageRead: () => void pages++ });
  expect(waitingOf('q')).toHaveLength(1_000);
});
