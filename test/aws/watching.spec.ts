import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService } from '../../src/service/create-service.ts';
import type { WatchUpdate } from '../../src/service/service.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { watchOf } from '../fixtures/watch-of.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { type EngineOnTable, noise, openEngineOnTable } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let engine: EngineOnTable;
beforeAll(async () => {
  dynoxide = await startDynoxide();
  engine = await openEngineOnTable(dynoxide.endpoint);
});
afterAll(async () => {
  await engine.close();
  await dynoxide.stop();
});

test('all watchers of a task on one node share each read of the task head, which costs one read unit however large the payload is', async () => {
  const { fixture } = engine;
  const clock = { ...systemClock(), now: () => engine.clock.now() };
  const { store, registry, meter } = engine.another();
  const { broker } = externalMemory({ clock });
  const options = { store, registry, broker, node: 'other', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const task = await fixture.accept({ payload: noise(100_000) });
  const held = await fixture.claim(task);
  const watches = Array.from({ length: 5 }, () => {
    const updates: WatchUpdate[] = [];
    const { tenant } = task.submission.scope;
    const done = (async () => {
      const { signal } = new AbortController();
      for await (const update of watchOf(service, tenant, task.id, 0, signal)) updates.push(update);
    })();
    return { updates, done };
  });
  await expect.poll(() => watches.every(({ updates }) => updates.length === 2)).toBe(true);
  meter.reset();
  await clock.sleep(1_000);
  const reads = meter.of('read').calls;
  expect(reads).toBeGreaterThanOrEqual(1);
  expect(reads).toBeLessThanOrEqual(3);
  expect(meter.of('read').readUnits).toBe(reads);
  await fixture.succeed(held);
  await Promise.all(watches.map(({ done }) => done));
  for (const { updates } of watches)
    expect(updates).toMatchObject([{ version: 1 }, { version: 2 }, { version: 3, state: 'succeeded' }]);
});

test('watchers that read the history of a task while it changes get each event once and with its version', async () => {
  const { fixture } = engine;
  const clock = { ...systemClock(), now: () => engine.clock.now() };
  const { store, registry } = engine.another();
  let reads = 0;
  const history = store.history.bind(store);
  // The first reads take the longest, so that they end after those that began later.
  store.history = async (id, fromVersion) => {
    const events = await history(id, fromVersion);
    await clock.sleep(Math.max(0, 200 - 40 * reads++));
    return events;
  };
  const { broker } = externalMemory({ clock });
  const options = { store, registry, broker, node: 'slow', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  let task = await fixture.accept();
  for (let i = 0; i < 6; i++) {
    task = await fixture.snooze(await fixture.claim(task));
    await engine.clock.advance(1_000);
    task = await fixture.makeReady(task);
  }
  const watch = (fromVersion: number) => {
    const got: string[] = [];
    const { tenant } = task.submission.scope;
    const done = (async () => {
      const { signal } = new AbortController();
      for await (const update of watchOf(service, tenant, task.id, fromVersion, signal))
        if (update.kind === 'event') got.push(`${update.version} ${update.event.kind}`);
    })();
    return { fromVersion, got, done };
  };
  const watches = [watch(task.head.version)];
  for (const fromVersion of [0, 3, 0, 1]) {
    watches.push(watch(fromVersion));
    await clock.sleep(20);
  }
  await expect.poll(() => watches[4]?.got.length).toBe(task.head.version - 1);
  await fixture.cancel(task);
  await Promise.all(watches.map(({ done }) => done));
  const all = (await history(task.id, 0)).map(({ kind }, i) => `${i + 1} ${kind}`);
  for (const { fromVersion, got } of watches) expect(got).toEqual(all.slice(fromVersion));
});
