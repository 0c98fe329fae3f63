import { expect } from 'vitest';
import type { Subject } from './subject.ts';

export const generations: Subject = (says) => {
  says('a new generation takes the key where the old one stands as it was read', async (bench) => {
    const first = await bench.succeed(await bench.claim(await bench.accept({ key: 'k' })));
    await bench.clock.advance(1_000);
    const second = await bench.accept({ key: 'k' }, first);
    expect(await bench.store.byKey(second.submission.scope, bench.now)).toEqual(second);
    const third = await bench.accept({ key: 'k' }, second);
    expect(await bench.store.byKey(second.submission.scope, bench.now)).toEqual(third);
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
  });

  says('an older generation is still found by its id, with its events and result', async (bench) => {
    const result = new Uint8Array([34, 1, 55]);
    const first = await bench.succeed(await bench.claim(await bench.accept({ key: 'k' })), result);
    await bench.clock.advance(1_000);
    await bench.accept({ key: 'k' }, first);
    expect(await bench.read(first)).toEqual(first);
    expect(await bench.store.history(first.id, 0)).toHaveLength(3);
    expect(await bench.store.result(first.id)).toEqual(result);
  });

  says('an older generation can still be changed', async (bench) => {
    const first = await bench.die(await bench.accept({ key: 'k' }));
    await bench.clock.advance(1_000);
    const second = await bench.accept({ key: 'k' }, first);
    const redriven = await bench.redrive(first);
    expect(redriven.head.state).toBe('waiting');
    expect(await bench.read(second)).toEqual(second);
  });

  says('it is refused where the task changed since: with what stands', async (bench) => {
    const read = await bench.accept({ key: 'k' });
    const running = await bench.claim(read);
    const [accepted] = await bench.store.accept([bench.acceptance({ key: 'k' }, read)]);
    expect(accepted).toEqual({ kind: 'existing', snapshot: running });
  });

  says('it is refused where another generation came between', async (bench) => {
    const first = await bench.cancel(await bench.accept({ key: 'k' }));
    await bench.clock.advance(1_000);
    const second = await bench.cancel(await bench.accept({ key: 'k' }, first));
    expect(second.head.revision).toBe(first.head.revision);
    const [accepted] = await bench.store.accept([bench.acceptance({ key: 'k' }, first)]);
    expect(accepted).toEqual({ kind: 'existing', snapshot: second });
  });

  says('of callers that race to supersede exactly one wins', async (bench) => {
    const first = await bench.cancel(await bench.accept({ key: 'k' }));
    await bench.clock.advance(1_000);
    const calls = Array.from({ length: 5 }, () =>
      bench.store.accept([bench.acceptance({ key: 'k' }, first)]),
    );
    const kinds = (await Promise.all(calls)).flat().map((one) => one.kind);
    expect(kinds.filter((kind) => kind === 'fresh')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'existing')).toHaveLength(4);
  });

  says('within one batch a second successor finds the first', async (bench) => {
    const first = await bench.cancel(await bench.accept({ key: 'k' }));
    await bench.clock.advance(1_000);
    const acceptance = bench.acceptance({ key: 'k' }, first);
    const [fresh, existing] = await bench.store.accept([acceptance, acceptance]);
    if (fresh?.kind !== 'fresh' || existing?.kind !== 'existing') expect.fail('the first should stand');
    expect(existing.snapshot.id).toBe(fresh.snapshot.id);
  });
};
