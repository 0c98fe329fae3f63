import { expect } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { refusal } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

export const closing: Subject = (says) => {
  says('to close twice is to close once', async ({ engine }) => {
    await engine.close();
    await engine.close();
  });

  says('closing ends the wait of whoever listens, with nothing', async (bench) => {
    const received = bench.receive({ waitMs: 20_000 });
    await bench.clock.settle();
    await bench.engine.close();
    expect(await received).toEqual([]);
  });

  says('what was begun before is finished', async (bench) => {
    const accepted = bench.store.accept([bench.acceptance({ key: 'k' })]);
    await bench.clock.settle();
    await bench.reopen();
    const [one] = await accepted;
    if (one?.kind !== 'fresh') expect.fail('not accepted');
    expect((await bench.read(one.snapshot)).id).toBe(one.snapshot.id);
  });

  says('whoever calls a closed engine is told so', async (bench) => {
    const task = await bench.accept();
    await bench.engine.close();
    const calls = [
      bench.store.accept([bench.acceptance()]),
      bench.store.append([bench.headChange(task, {})]),
      bench.store.read([task.id], bench.now),
      bench.engine.registry.get('queue', 'a'),
    ];
    for (const call of calls) {
      const error = await refusal(call);
      expect(error).toBeInstanceOf(HoldfastError);
      expect(error.code).toBe('UNAVAILABLE');
    }
  });
};
