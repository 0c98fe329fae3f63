import { expect } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { errorOf } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

export const closing: Subject = (requires) => {
  requires('closing an engine is idempotent', async ({ engine }) => {
    await engine.close();
    await engine.close();
  });

  requires('closing an engine ends a waiting receive call with no deliveries', async (fixture) => {
    const received = fixture.receive({ waitMs: 20_000 });
    await fixture.clock.settle();
    await fixture.engine.close();
    expect(await received).toEqual([]);
  });

  requires('a submission that began before the engine was closed is finished', async (fixture) => {
    const accepted = fixture.store.accept([fixture.acceptance({ key: 'k' })]);
    await fixture.clock.settle();
    await fixture.reopen();
    const [one] = await accepted;
    if (one?.kind !== 'fresh') expect.fail('not accepted');
    expect((await fixture.read(one.snapshot)).id).toBe(one.snapshot.id);
  });

  requires('a call of a closed engine fails with UNAVAILABLE', async (fixture) => {
    const task = await fixture.accept();
    await fixture.engine.close();
    const calls = [
      fixture.store.accept([fixture.acceptance()]),
      fixture.store.append([fixture.headChange(task, {})]),
      fixture.store.read([task.id], fixture.now),
      fixture.engine.registry.get('queue', 'a'),
    ];
    for (const call of calls) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(HoldfastError);
      expect(error.code).toBe('UNAVAILABLE');
    }
  });
};
