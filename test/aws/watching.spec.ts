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
