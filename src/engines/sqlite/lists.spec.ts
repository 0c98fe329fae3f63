import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ids, queue, StoreFixture } from '../../../test/contract/store-fixture.ts';
import type { Snapshot, SnapshotPage, TaskFilter } from '../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from './index.ts';
import { Lists } from './lists.ts';
import { openParts } from './open-engine.ts';

let folder: string;
let path: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lists-'));
  path = join(folder, 'queue.db');
  clock = virtualClock();
  engine = await sqlite({ path, clock, ballastBytes: 0 });
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Lets the task die and redrives it. A task of a lane joins the end of its lane again. */
async function dieAndRedrive(task: Snapshot): Promise<Snapshot> {
  const dead = await fixture.die(task);
  const { orderingKey, scope } = dead.submission;
  if (orderingKey === undefined) return fixture.redrive(dead);
  await fixture.store.leaveLane({ ...scope, orderingKey }, dead.id);
  return fixture.redrive(await fixture.finishHandOver(dead), true);
}

/** Accepts 40 tasks of two queues, of which some have lanes, and brings them into all states. */
async function acceptInAllStates(): Promise<void> {
  const changes: ((task: Snapshot) => Promise<unknown>)[] = [
    async () => undefined,
    async (task) => fixture.claim(task),
    async (task) => fixture.succeed(await fixture.claim(task)),
    async (task) => fixture.fail(await fixture.claim(task), 3_600_000),
    async (task) => fixture.die(task),
    async (task) => fixture.cancel(task),
    dieAndRedrive,
    async (task) => fixture.makeReady(await dieAndRedrive(task)),
  ];
  for (let i = 0; i < 40; i++) {
    const ordering = i % 3 === 0 ? { orderingKey: `lane-${i % 9}` } : {};
    const task = await fixture.accept({ ...ordering, queue: i % 5 === 0 ? 'other' : 'mail' });
    await changes[i % changes.length]?.(task);
    if (i % 2 === 0) await clock.advance(1_000);
  }
}

function pagesOf(lists: Lists, filter: TaskFilter, limit: number): SnapshotPage[] {
  const pages: SnapshotPage[] = [];
  let cursor: string | undefined;
  do {
    const page = lists.list(filter, { limit, cursor, nowMs: clock.now() });
    pages.push(page);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

describe('a list of running or of ready tasks', () => {
  it('finds the tasks on its first page behind more tasks than a page examines, and examines no other task', async () => {
    const running: Snapshot[] = [];
    for (let i = 0; i < 3; i++) running.unshift(await fixture.claim(await fixture.accept()));
    const ready = (await fixture.acceptMany(2)).toReversed();
    await clock.advance(1_000);
    await fixture.acceptMany(1_500, () => ({ options: { delayMs: 3_600_000 } }));
    const page = { limit: 10, cursor: undefined, nowMs: clock.now() };
    const runningPage = await fixture.store.list({ ...queue, state: 'running' }, page);
    expect([ids(runningPage.items), runningPage.examined]).toEqual([ids(running), 3]);
    const readyPage = await fixture.store.list({ ...queue, state: 'ready' }, page);
    expect([ids(readyPage.items), readyPage.examined]).toEqual([ids(ready), 2]);
  });

  it('has the same tasks in the same order by its index as by reading all tasks of the queue, and takes either cursor', async () => {
    await acceptInAllStates();
    await engine.close();
    const { context, file } = openParts({ path, clock, ballastBytes: 0 });
    const sorted = new Lists(context);
    const scanned = new Lists(context, 0);
    const startMs = clock.now();
    const filters: Partial<TaskFilter>[] = [{}, { queue: 'other' }, { acceptedUntilMs: startMs - 5_000 }];
    filters.push({ acceptedFromMs: startMs - 12_000 }, { type: 'none' });
    for (const state of ['running', 'ready'] as const) {
      for (const limit of [1, 3, 100]) {
        for (const more of filters) {
          const filter = { ...queue, ...more, state };
          const itemsOf = (lists: Lists) => pagesOf(lists, filter, limit).flatMap(({ items }) => items);
          expect(itemsOf(sorted)).toEqual(itemsOf(scanned));
        }
      }
      const filter = { ...queue, state };
      const all = pagesOf(scanned, filter, 100).flatMap(({ items }) => ids(items));
      expect(all.length).toBeGreaterThanOrEqual(4);
      const at = (lists: Lists, cursor: string | undefined) =>
        lists.list(filter, { limit: 2, cursor, nowMs: clock.now() });
      for (const [one, other] of [
        [sorted, scanned],
        [scanned, sorted],
      ] as const) {
        expect(ids(at(other, at(one, undefined).cursor).items)).toEqual(all.slice(2, 4));
      }
    }
    file.close();
  });
});
