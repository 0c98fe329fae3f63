import { expect } from 'vitest';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { LaneReleaser } from '../../../src/runtime/release-lanes.ts';
import { resumeEndedPauses } from '../../../src/service/admin/admin.ts';
import { initialSetting } from '../../../src/service/admin/queue-settings.ts';
import { createService, type RunningService } from '../../../src/service/create-service.ts';
import { errorOf, queue, type StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const mistyped = { ...queue, queue: 'mial' };

function serve(fixture: StoreFixture, createQueues = true): Promise<RunningService> {
  return createService({ ...fixture.engine, node: 'n', clock: fixture.clock, log: silentLog, createQueues });
}

/** Starts a service on a store with the queue `mail`, and refuses each change of a queue with a mistyped name. */
async function changesOfMistyped(fixture: StoreFixture, createQueues: boolean): Promise<HoldfastError[]> {
  await fixture.engine.registry.put('queue', 'acme/mail', initialSetting, 'absent');
  const { service } = await serve(fixture, createQueues);
  const errors: HoldfastError[] = [];
  for (const change of [{ paused: true }, { paused: false }, { onDead: 'hold' as const }, {}])
    errors.push(await errorOf(service.updateQueue(mistyped, change, 'op')));
  errors.push(await errorOf(service.queue(mistyped)));
  expect((await fixture.engine.registry.list('queue', '')).map(({ key }) => key)).toEqual(['acme/mail']);
  return errors;
}

/** Runs the release of lanes for as long as the runtime would until it is over. */
async function releaseLanes(fixture: StoreFixture, { context, settled }: RunningService): Promise<void> {
  const releaser = new LaneReleaser(context);
  for (let round = 0; context.queues.of(queue).laneRelease !== undefined && round < 100; round++) {
    if (!(await releaser.round(new AbortController().signal))) await fixture.clock.advance(30_000);
    await settled();
  }
}

export const queueChanges: Subject = (requires) => {
  requires(
    'a pause, a resume and a change of a queue that does not exist are refused with the nearest name, and create nothing',
    async (fixture) => {
      for (const error of await changesOfMistyped(fixture, true)) {
        expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
        expect(error.help).toBe(
          "Did you mean 'mail'? To create it: `holdfast queues create --tenant acme mial`.",
        );
      }
    },
  );

  requires(
    'a node whose queues are created outside of the store refuses them too, also with `create`',
    async (fixture) => {
      for (const error of await changesOfMistyped(fixture, false)) {
        expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'QUEUE_UNKNOWN' });
        expect(error.help).toContain("Did you mean 'mail'? To create it: `holdfast aws init");
      }
      const { service } = await serve(fixture, false);
      const created = await errorOf(service.updateQueue(mistyped, { create: true }, 'op'));
      expect(created.reason).toBe('QUEUE_UNKNOWN');
    },
  );

  requires('a change of a missing queue with `create` creates it, with that setting', async (fixture) => {
    const { service } = await serve(fixture);
    const created = await service.updateQueue(queue, { onDead: 'hold', create: true }, 'op');
    expect(created).toMatchObject({ ...queue, onDead: 'hold', paused: false });
    const paused = await service.updateQueue(queue, { paused: true, create: true }, 'op');
    expect(paused).toMatchObject({ onDead: 'hold', paused: true });
    expect((await fixture.engine.registry.list('queue', '')).map(({ key }) => key)).toEqual(['acme/mail']);
  });

  requires(
    'a pause with an end is over at that time, also if a node that did not set it looks, and keeps its reason until then',
    async (fixture) => {
      const { service } = await serve(fixture);
      const endMs = fixture.clock.now() + 60_000;
      const pause = { paused: true, reason: 'a migration', untilMs: endMs };
      const paused = await service.updateQueue(queue, { ...pause, create: true }, 'op');
      expect(paused.pause).toMatchObject({ actor: 'op', reason: 'a migration', untilMs: endMs });
      const { context } = await serve(fixture);
      await resumeEndedPauses(context);
      expect(context.queues.of(queue).paused).toBe(true);
      await fixture.clock.advance(60_000);
      await resumeEndedPauses(context);
      expect((await fixture.engine.registry.get('queue', 'acme/mail'))?.value).toMatchObject({
        paused: false,
      });
      expect(context.queues.of(queue)).toMatchObject({ paused: false });
    },
  );

  requires(
    'a pause that an operator has prolonged meanwhile is not ended by a node that knows the earlier end',
    async (fixture) => {
      const { service } = await serve(fixture);
      const soonMs = fixture.clock.now() + 1_000;
      await service.updateQueue(queue, { paused: true, untilMs: soonMs, create: true }, 'op');
      const { context } = await serve(fixture);
      await service.updateQueue(queue, { paused: true, reason: 'longer' }, 'ann');
      await fixture.clock.advance(2_000);
      await resumeEndedPauses(context);
      expect(context.queues.of(queue)).toMatchObject({ paused: true, pause: { actor: 'ann' } });
    },
  );

  requires(
    'a claim from a queue that does not exist yet waits for its tasks and creates nothing',
    async (fixture) => {
      const { service } = await serve(fixture);
      const signal = new AbortController().signal;
      const worker = { tenant: 'acme', workerName: 'w', workerId: 'i', requestId: '', signal };
      const types = [{ type: 'send', maxVersion: 1 }];
      const claimed = await service.claim({ ...worker, queues: ['mial'], types, maxTasks: 1, waitMs: 0 });
      expect(claimed).toEqual([]);
      expect(await fixture.engine.registry.list('queue', '')).toEqual([]);
    },
  );

  requires(
    'setting onDead to release frees the lanes that dead tasks hold, and records who did it',
    async (fixture) => {
      const running = await serve(fixture);
      const { service } = running;
      await service.updateQueue(queue, { onDead: 'hold', create: true }, 'op');
      fixture.onDead = 'hold';
      const lanes = ['ann', 'bob', 'eve'];
      const dead = [];
      for (const orderingKey of lanes) dead.push(await fixture.die(await fixture.accept({ orderingKey })));
      const next = [];
      for (const orderingKey of lanes) next.push(await fixture.accept({ orderingKey }));
      await releaseLanes(fixture, running);
      expect((await fixture.store.lowest(fixture.lane('ann')))?.id).toBe(dead[0]?.id);
      await service.updateQueue(queue, { onDead: 'release' }, 'ann');
      await releaseLanes(fixture, running);
      for (const [i, orderingKey] of lanes.entries()) {
        expect((await fixture.store.lowest(fixture.lane(orderingKey)))?.id).toBe(next[i]?.id);
        const events = await fixture.store.history(dead[i]?.id ?? '', 3);
        expect(events).toMatchObject([{ kind: 'laneReleased', actor: 'ann' }]);
      }
      const [first] = dead;
      if (first === undefined) expect.fail();
      expect((await fixture.read(first)).head).toMatchObject({
        state: 'dead',
        holdsLane: false,
        handOver: false,
      });
      const setting = await fixture.engine.registry.get('queue', 'acme/mail');
      expect(setting?.value).toEqual({ paused: false, onDead: 'release' });
    },
  );
};
