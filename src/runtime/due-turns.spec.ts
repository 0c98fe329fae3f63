import { describe, expect, test } from 'vitest';
import type { DueEntry } from '../ports/task-store.ts';
import { DueTurns, type Turn } from './due-turns.ts';

function entryOf(tenantTag: string, queueTag: string, n: number): DueEntry {
  return { id: `${tenantTag}/${queueTag}/${n}`, dueAtMs: n, tenantTag, queueTag };
}

function addMany(turns: DueTurns, tenant: string, queue: string, count: number): number {
  let taken = 0;
  for (let n = 0; n < count; n++) if (turns.add(entryOf(tenant, queue, n), 0)) taken++;
  return taken;
}

function queueOf(turn: Turn | undefined): string | undefined {
  const entry = turn?.entries[0]?.entry;
  return entry && `${entry.tenantTag}/${entry.queueTag}`;
}

/** Takes and ends so many turns, each of which takes `ms`. Returns the queues that had them. */
function takeTurns(turns: DueTurns, count: number, ms = 10): (string | undefined)[] {
  return Array.from({ length: count }, () => {
    const turn = turns.next();
    if (turn !== undefined) turns.end(turn, ms, () => true);
    return queueOf(turn);
  });
}

/** Takes all turns that may be taken at once. */
function takeAll(turns: DueTurns): Turn[] {
  const taken: Turn[] = [];
  for (let turn = turns.next(); turn !== undefined; turn = turns.next()) taken.push(turn);
  return taken;
}

function tasksOf(taken: readonly Turn[]): number {
  return taken.reduce((sum, { entries }) => sum + entries.length, 0);
}

describe('turns of due tasks', () => {
  test('go to one queue after the other, also if one has many more tasks', () => {
    const turns = new DueTurns();
    addMany(turns, 't', 'large', 1_000);
    addMany(turns, 't', 'mid', 120);
    addMany(turns, 't', 'small', 3);
    expect(takeTurns(turns, 4)).toEqual(['t/large', 't/mid', 't/small', 't/large']);
  });

  test('go first to a queue whose task has just become due, however many tasks wait', () => {
    const turns = new DueTurns();
    for (let i = 0; i < 50; i++) addMany(turns, 't', `large-${i}`, 500);
    takeTurns(turns, 60);
    addMany(turns, 't', 'new', 1);
    expect(takeTurns(turns, 1)).toEqual(['t/new']);
  });

  test('go to one tenant after the other, also if one has many more queues', () => {
    const turns = new DueTurns();
    for (let i = 0; i < 50; i++) addMany(turns, 'large', `q-${i}`, 500);
    addMany(turns, 'small', 'q', 200);
    const tenants = takeTurns(turns, 8).map((queue) => queue?.split('/')[0]);
    expect(tenants.filter((tenant) => tenant === 'small').length).toBe(4);
  });

  test('are small while many queues wait, and larger for a queue alone', () => {
    const alone = new DueTurns();
    addMany(alone, 't', 'q', 500);
    expect(alone.next()?.entries).toHaveLength(50);
    const crowded = new DueTurns();
    for (let i = 0; i < 40; i++) addMany(crowded, 't', `q-${i}`, 500);
    expect(crowded.next()?.entries).toHaveLength(10);
  });

  test('leave places for other queues while one queue uses all that it may', () => {
    const turns = new DueTurns();
    addMany(turns, 't', 'large', 1_000);
    expect(tasksOf(takeAll(turns))).toBe(90);
    addMany(turns, 't', 'small', 20);
    expect(takeAll(turns).map(queueOf)).toEqual(['t/small']);
  });

  test('of a stalled queue keep no other queue from its turns, and it gets no more until they end', () => {
    const turns = new DueTurns();
    addMany(turns, 't', 'stuck', 1_000);
    const stuck = takeAll(turns);
    addMany(turns, 't', 'sound', 1_000);
    takeAll(turns);
    for (const turn of stuck) turns.stalled(turn);
    const further = takeAll(turns);
    expect(tasksOf(further)).toBe(80);
    expect(new Set(further.map(queueOf))).toEqual(new Set(['t/sound']));
    for (const turn of stuck) turns.end(turn, 400, () => true);
    expect(takeAll(turns).map(queueOf)).toEqual(['t/stuck']);
  });

  test('have at most 400 tasks at once, also if all of them are stalled', () => {
    const turns = new DueTurns();
    let tasks = 0;
    for (let i = 0; i < 100; i++) {
      addMany(turns, 't', `q-${i}`, 500);
      const taken = takeAll(turns);
      tasks += tasksOf(taken);
      for (const turn of taken) turns.stalled(turn);
    }
    expect(tasks).toBe(400);
  });

  test('have fewer tasks at once after turns that took long, and more after quick ones, within 30 and 200', () => {
    const turns = new DueTurns();
    addMany(turns, 't', 'q', 10_000);
    const atOnceAfter = (count: number, ms: number): number => {
      takeTurns(turns, count, ms);
      const taken = takeAll(turns);
      for (const turn of taken) turns.end(turn, 400, () => true);
      return tasksOf(taken);
    };
    expect(atOnceAfter(3, 800)).toBe(20);
    expect(atOnceAfter(40, 20)).toBe(190);
    expect(atOnceAfter(1, 800)).toBe(90);
  });

  test('are lowered once by all turns that were taken at the same time', () => {
    const turns = new DueTurns();
    addMany(turns, 't', 'q', 10_000);
    takeTurns(turns, 40, 20);
    for (const turn of takeAll(turns)) turns.end(turn, 800, () => true);
    expect(tasksOf(takeAll(turns))).toBe(90);
  });
});

describe('a due entry', () => {
  test('that waits, is acted on or was acted on a moment ago is not taken again', () => {
    const turns = new DueTurns();
    const entry = entryOf('t', 'q', 1);
    const wait = (): number => {
      expect(turns.add(entry, 0)).toBe(true);
      return turns.waiting;
    };
    expect(wait()).toBe(1);
    expect(wait()).toBe(1);
    const turn = turns.next() as Turn;
    expect(wait()).toBe(0);
    turns.end(turn, 10, () => true);
    turns.forgetActedOn();
    expect(wait()).toBe(0);
    expect(turns.add({ ...entry, dueAtMs: 2 }, 0)).toBe(true);
    expect(turns.waiting).toBe(1);
    turns.forgetActedOn();
    takeTurns(turns, 1);
    turns.forgetActedOn();
    turns.forgetActedOn();
    expect(wait()).toBe(1);
  });

  test('on which the action failed may be taken again at once', () => {
    const turns = new DueTurns();
    const entry = entryOf('t', 'q', 1);
    turns.add(entry, 0);
    turns.end(turns.next() as Turn, 10, () => false);
    turns.add(entry, 0);
    expect(turns.waiting).toBe(1);
  });

  test('finds no room in a queue that has 10,000, and room in any other queue', () => {
    const turns = new DueTurns();
    expect(addMany(turns, 't', 'large', 12_000)).toBe(10_000);
    expect(turns.needsMore(entryOf('t', 'large', 0))).toBe(false);
    for (let i = 0; i < 100; i++) addMany(turns, 't', `q-${i}`, 10_000);
    expect(turns.waiting).toBeLessThan(105_000);
    expect(addMany(turns, 't', 'new', 100)).toBeGreaterThanOrEqual(10);
  });
});
