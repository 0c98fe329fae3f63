import { expect } from 'vitest';
import { dueAtMs } from '../../../src/core/task/head.ts';
import type { DueEntry, Snapshot } from '../../../src/ports/task-store.ts';
import type { StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** Expects the task to be due from `atMs` on and not a millisecond earlier. */
async function expectDueAt(fixture: StoreFixture, task: Snapshot, atMs: number): Promise<void> {
  expect(await fixture.dueIds(atMs - 1)).not.toContain(task.id);
  expect(await fixture.dueIds(atMs)).toContain(task.id);
  expect(dueAtMs(task.head)).toBe(atMs);
}

const years = 400 * 86_400_000;

export const dueEntries: Subject = (requires) => {
  requires(
    'a delayed task is due from its scheduled start time on, until it is made ready',
    async (fixture) => {
      const task = await fixture.accept({ options: { delayMs: 5_000 } });
      await expectDueAt(fixture, task, fixture.now + 5_000);
      await fixture.clock.advance(5_000);
      const ready = await fixture.makeReady(task);
      // A ready task that was scheduled is due at the end of its lifetime, because nothing else would end it then.
      await expectDueAt(fixture, ready, ready.head.lifetimeEndAtMs ?? 0);
    },
  );

  requires('neither ready nor running tasks are due', async (fixture) => {
    const ready = await fixture.accept();
    const running = await fixture.claim(await fixture.accept());
    const due = await fixture.dueIds(fixture.now + years);
    expect(due).not.toContain(ready.id);
    expect(due).not.toContain(running.id);
  });

  requires(
    'as soon as it is submitted, a task with a deadline, a lifetime or a delay has a due entry at the earliest of these times',
    async (fixture) => {
      const deadline = await fixture.accept({ options: { deadlineAtMs: fixture.now + 7_000 } });
      await expectDueAt(fixture, deadline, fixture.now + 7_000);
      const lifetime = await fixture.accept({ options: { lifetimeMs: 9_000 } });
      await expectDueAt(fixture, lifetime, fixture.now + 9_000);
      const both = await fixture.accept({ options: { delayMs: 3_000, deadlineAtMs: fixture.now + 2_000 } });
      await expectDueAt(fixture, both, fixture.now + 2_000);
    },
  );

  requires(
    'a claim deletes a task’s due entry, and a failure sets a new one at the time of the retry',
    async (fixture) => {
      const task = await fixture.accept({ options: { deadlineAtMs: fixture.now + 50_000 } });
      const running = await fixture.claim(task);
      expect(await fixture.dueIds(fixture.now + years)).toEqual([]);
      const failed = await fixture.fail(running, 4_000);
      await expectDueAt(fixture, failed, fixture.now + 4_000);
    },
  );

  requires(
    'a snoozed task is due at the end of its snooze, and a redriven task is due at once',
    async (fixture) => {
      const snoozed = await fixture.snooze(await fixture.claim(await fixture.accept()), 6_000);
      await expectDueAt(fixture, snoozed, fixture.now + 6_000);
      const redriven = await fixture.redrive(await fixture.die(await fixture.accept()));
      await expectDueAt(fixture, redriven, fixture.now);
    },
  );

  requires(
    'an ended task with an ordering key stays in the due index until the next task of its lane was dispatched; other ended tasks are not in it',
    async (fixture) => {
      const inLane = await fixture.succeed(await fixture.claim(await fixture.accept({ orderingKey: 'ann' })));
      const withoutLane = await fixture.succeed(await fixture.claim(await fixture.accept()));
      await expectDueAt(fixture, inLane, fixture.now);
      expect(await fixture.dueIds(fixture.now + years)).not.toContain(withoutLane.id);
      await fixture.store.leaveLane(fixture.lane('ann'), inLane.id);
      expect(await fixture.dueIds()).toContain(inLane.id);
      await fixture.finishHandOver(inLane);
      expect(await fixture.dueIds(fixture.now + years)).toEqual([]);
    },
  );

  requires('a dead task that holds its lane is not due', async (fixture) => {
    fixture.onDead = 'hold';
    const dead = await fixture.die(await fixture.accept({ orderingKey: 'ann' }));
    expect(dead.head.holdsLane).toBe(true);
    expect(await fixture.dueIds(fixture.now + years)).toEqual([]);
  });

  requires(
    'the store returns due entries oldest first, no more than the limit, and each task in one shard',
    async (fixture) => {
      const delays = [50, 10, 40, 20, 30, 60, 70, 80].map((s) => s * 1_000);
      const tasks = await fixture.acceptMany(delays.length, (i) => ({ options: { delayMs: delays[i] } }));
      await fixture.clock.advance(65_000);
      const seen: string[] = [];
      for (let shard = 0; shard < fixture.store.dueShards; shard++) {
        const { entries } = await fixture.store.due(shard, fixture.now, 100);
        const times = entries.map((entry) => entry.dueAtMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        seen.push(...entries.map((entry) => entry.id));
        const first = await fixture.store.due(shard, fixture.now, 1);
        expect(first.entries).toEqual(entries.slice(0, 1));
      }
      const expected = tasks.slice(0, 6).map((task) => task.id);
      expect(seen.toSorted()).toEqual(expected.toSorted());
    },
  );

  requires(
    'the pages of due entries together contain each entry once, also if entries have equal times',
    async (fixture) => {
      const delays = [10, 30, 30, 30, 20, 30, 40, 30, 30, 50].map((s) => s * 1_000);
      await fixture.acceptMany(40, (i) => ({ options: { delayMs: delays[i % 10] } }));
      await fixture.clock.advance(45_000);
      for (let shard = 0; shard < fixture.store.dueShards; shard++) {
        const all = await fixture.store.due(shard, fixture.now, 100);
        expect(all.next).toBe(undefined);
        for (const limit of [1, 2, 3]) {
          const found = [];
          let after: DueEntry | undefined;
          do {
            const page = await fixture.store.due(shard, fixture.now, limit, after);
            expect(page.entries.length).toBeLessThanOrEqual(limit);
            found.push(...page.entries);
            after = page.next;
          } while (after !== undefined);
          expect(found).toEqual(all.entries);
        }
      }
    },
  );

  requires('a page of due entries may start after an entry that no longer exists', async (fixture) => {
    const tasks = await fixture.acceptMany(60, (i) => ({ options: { delayMs: 5_000 + (i % 3) } }));
    await fixture.clock.advance(6_000);
    for (let shard = 0; shard < fixture.store.dueShards; shard++) {
      const { entries } = await fixture.store.due(shard, fixture.now, 100);
      const [gone] = entries.slice(1);
      if (gone === undefined) continue;
      await fixture.cancel(tasks.find((task) => task.id === gone.id) as Snapshot);
      const rest = await fixture.store.due(shard, fixture.now, 100, gone);
      expect(rest).toEqual({ entries: entries.slice(2), next: undefined });
    }
  });

  requires('a page of due entries that starts after an entry in the future is empty', async (fixture) => {
    const task = await fixture.accept({ options: { delayMs: 5_000 } });
    for (let shard = 0; shard < fixture.store.dueShards; shard++) {
      const page = await fixture.store.due(shard, fixture.now, 10, {
        id: task.id,
        dueAtMs: fixture.now + 5_000,
        tenantTag: '',
        queueTag: '',
      });
      expect(page).toEqual({ entries: [], next: undefined });
    }
  });

  requires('due entries are the same in the next process that opens the store', async (fixture) => {
    const task = await fixture.accept({ options: { delayMs: 5_000 } });
    await fixture.reopen();
    await expectDueAt(fixture, task, fixture.now + 5_000);
  });
};
