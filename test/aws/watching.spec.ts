import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService } from '../../src/service/create-service.ts';
import type { WatchUpdate } from '../../src/service/service.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { noise, type Site, siteOn } from './engine-on-table.ts';

let dynoxide: Dynoxide;
let site: Site;
beforeAll(async () => {
  dynoxide = await startDynoxide();
  site = await siteOn(dynoxide.endpoint);
});
afterAll(async () => {
  await site.close();
  await dynoxide.stop();
});

test('watchers on another node cost one read unit a look between them, however large the payload', async () => {
  const { bench } = site;
  const clock = { ...systemClock(), now: () => site.clock.now() };
  const { store, registry, meter } = site.another();
  const { broker } = externalMemory({ clock });
  const options = { store, registry, broker, node: 'other', clock, log: silentLog, createQueues: true };
  const { service } = await createService(options);
  const task = await bench.accept({ payload: noise(100_000) });
  const held = await bench.claim(task);
  const watches = Array.from({ length: 5 }, () => {
    const updates: WatchUpdate[] = [];
    const { tenant } = task.submission.scope;
    const done = (async () => {
      const { signal } = new AbortController();
      for await (const update of service.watch(tenant, task.id, 0, signal)) updates.push(update);
    })();
    return { updates, done };
  });
  await expect.poll(() => watches.every(({ updates }) => updates.length === 2)).toBe(true);
  meter.reset();
  await clock.sleep(1_000);
  const looks = meter.of('read').calls;
  expect(looks).toBeGreaterThanOrEqual(1);
  expect(looks).toBeLessThanOrEqual(3);
  expect(meter.of('read').readUnits).toBe(looks);
  await bench.succeed(held);
  await Promise.all(watches.map(({ done }) => done));
  for (const { updates } of watches)
    expect(updates).toMatchObject([{ version: 1 }, { version: 2 }, { version: 3, state: 'succeeded' }]);
});
