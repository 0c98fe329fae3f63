import { expect } from 'vitest';
import { dueAtMs } from '../../../src/core/task/head.ts';
import type { DueEntry, Snapshot } from '../../../src/ports/task-store.ts';
import type { Bench } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

/** Due from that moment on, and not one earlier. */
async function expectDueAt(bench: Bench, task: Snapshot, atMs: number): Promise<void> {
  expect(await bench.dueIds(atMs - 1)).not.toContain(task.id);
  expect(await bench.dueIds(atMs)).toContain(task.id);
  expect(dueAtMs(task.head)).toBe(atMs);
}

const years = 400 * 86_400_000;

export const dueEntries: Subject = (says) => {
  says('a delayed task is due at its run time, until it is made ready', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 5_000 } });
    await expectDueAt(bench, task, bench.now + 5_000);
    await bench.clock.advance(5_000);
    const ready = await bench.makeReady(task);
    // A scheduled task is also due at its lifetime's end, which nobody else would look at.
    await expectDueAt(bench, ready, ready.head.lifetimeEndAtMs ?? 0);
  });

  says('neither the ready backlog nor running tasks are due', async (bench) => {
    const ready = await bench.accept();
    const running = await bench.claim(await bench.accept());
    const due = await bench.dueIds(bench.now + years);
    expect(due).not.toContain(ready.id);
    expect(due).not.toContain(running.id);
  });

  says(
    'a deadline and a lifetime of its own are due from submission on, the earliest first',
    async (bench) => {
      const deadline = await bench.accept({ options: { deadlineAtMs: bench.now + 7_000 } });
      await expectDueAt(bench, deadline, bench.now + 7_000);
      const lifetime = await bench.accept({ options: { lifetimeMs: 9_000 } });
      await expectDueAt(bench, lifetime, bench.now + 9_000);
      const both = await bench.accept({ options: { delayMs: 3_000, deadlineAtMs: bench.now + 2_000 } });
      await expectDueAt(bench, both, bench.now + 2_000);
    },
  );

  says('a claim takes the entry away, a failure brings it back at the time of the retry', async (bench) => {
    const task = await bench.accept({ options: { deadlineAtMs: bench.now + 50_000 } });
    const running = await bench.claim(task);
    expect(await bench.dueIds(bench.now + years)).toEqual([]);
    const failed = await bench.fail(running, 4_000);
    await expectDueAt(bench, failed, bench.now + 4_000);
  });

  says('a snoozed and a redriven task are due', async (bench) => {
    const snoozed = await bench.snooze(await bench.claim(await bench.accept()), 6_000);
    await expectDueAt(bench, snoozed, bench.now + 6_000);
    const redriven = await bench.redrive(await bench.die(await bench.accept()));
    await expectDueAt(bench, redriven, bench.now);
  });

  says('an end in a lane is due until it is handed over; others are not', async (bench) => {
    const laned = await bench.succeed(await bench.claim(await bench.accept({ orderingKey: 'ann' })));
    const loose = await bench.succeed(await bench.claim(await bench.accept()));
    await expectDueAt(bench, laned, bench.now);
    expect(await bench.dueIds(bench.now + years)).not.toContain(loose.id);
    await bench.store.leave(bench.lane('ann'), laned.id);
    expect(await bench.dueIds()).toContain(laned.id);
    await bench.handedOver(laned);
    expect(await bench.dueIds(bench.now + years)).toEqual([]);
  });

  says('a dead task that holds its lane is not due', async (bench) => {
    bench.onDead = 'hold';
    const dead = await bench.die(await bench.accept({ orderingKey: 'ann' }));
    expect(dead.head.holdsLane).toBe(true);
    expect(await bench.dueIds(bench.now + years)).toEqual([]);
  });

  says('entries come oldest first, no more than asked for, each task in one shard', async (bench) => {
    const delays = [50, 10, 40, 20, 30, 60, 70, 80].map((s) => s * 1_000);
    const tasks = await bench.acceptMany(delays.length, (i) => ({ options: { delayMs: delays[i] } }));
    await bench.clock.advance(65_000);
    const seen: string[] = [];
    for (let shard = 0; shard < bench.store.dueShards; shard++) {
      const { entries } = await bench.store.due(shard, bench.now, 100);
      const times = entries.map((entry) => entry.dueAtMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      seen.push(...entries.map((entry) => entry.id));
      const first = await bench.store.due(shard, bench.now, 1);
      expect(first.entries).toEqual(entries.slice(0, 1));
    }
    const expected = tasks.slice(0, 6).map((task) => task.id);
    expect(seen.toSorted()).toEqual(expected.toSorted());
  });

  says('whoever goes on from a place finds each of the others once, whatever their times', async (bench) => {
    const delays = [10, 30, 30, 30, 20, 30, 40, 30, 30, 50].map((s) => s * 1_000);
    await bench.acceptMany(40, (i) => ({ options: { delayMs: delays[i % 10] } }));
    await bench.clock.advance(45_000);
    for (let shard = 0; shard < bench.store.dueShards; shard++) {
      const all = await bench.store.due(shard, bench.now, 100);
      expect(all.next).toBe(undefined);
      for (const limit of [1, 2, 3]) {
        const found = [];
        let after: DueEntry | undefined;
        do {
          const page = await bench.store.due(shard, bench.now, limit, after);
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          found.push(...page.entries);
          after = page.next;
        } while (after !== undefined);
        expect(found).toEqual(all.entries);
      }
    }
  });

  says('a place whose entry is gone is a place still', async (bench) => {
    const tasks = await bench.acceptMany(60, (i) => ({ options: { delayMs: 5_000 + (i % 3) } }));
    await bench.clock.advance(6_000);
    for (let shard = 0; shard < bench.store.dueShards; shard++) {
      const { entries } = await bench.store.due(shard, bench.now, 100);
      const [gone] = entries.slice(1);
      if (gone === undefined) continue;
      await bench.cancel(tasks.find((task) => task.id === gone.id) as Snapshot);
      const rest = await bench.store.due(shard, bench.now, 100, gone);
      expect(rest).toEqual({ entries: entries.slice(2), next: undefined });
    }
  });

  says('behind a place that is later than now nothing is due', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 5_000 } });
    for (let shard = 0; shard < bench.store.dueShards; shard++) {
      const page = await bench.store.due(shard, bench.now, 10, { id: task.id, dueAtMs: bench.now + 5_000 });
      expect(page).toEqual({ entries: [], next: undefined });
    }
  });

  says('entries outlive the process', async (bench) => {
    const task = await bench.accept({ options: { delayMs: 5_000 } });
    await bench.reopen();
    await expectDueAt(bench, task, bench.now + 5_000);
  });
};
