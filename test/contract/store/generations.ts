import { expect } from 'vitest';
import type { Accepted, Snapshot } from '../../../src/ports/task-store.ts';
import { type Asked, type Bench, ids } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const windowMs = 60_000;
const k: Asked = { key: 'k', options: { windowMs } };

function fresh(accepted: readonly Accepted[]): Snapshot[] {
  return accepted.map((one) => (one.kind === 'fresh' ? one.snapshot : expect.fail(one.kind)));
}

/** One that has ended, its window over. */
async function past(bench: Bench, asked = k): Promise<Snapshot> {
  const ended = await bench.cancel(await bench.accept(asked));
  await bench.clock.advance(windowMs);
  return ended;
}

export const generations: Subject = (says) => {
  says('a new generation takes the key once its task has ended and its window is over', async (bench) => {
    const first = await past(bench);
    const second = await past(bench);
    expect(await bench.store.byKey(second.submission.scope, bench.now)).toEqual(second);
    const third = await bench.accept(k);
    expect(await bench.store.byKey(second.submission.scope, bench.now)).toEqual(third);
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
  });

  says('the key of an ended task is taken until its window is over, to the millisecond', async (bench) => {
    const first = await bench.cancel(await bench.accept(k));
    await bench.clock.advance(windowMs - 1);
    expect(await bench.store.accept([bench.acceptance(k)])).toEqual([{ kind: 'existing', snapshot: first }]);
    await bench.clock.advance(1);
    fresh(await bench.store.accept([bench.acceptance(k)]));
  });

  says('the key of a task that goes on is taken, however old: with what stands', async (bench) => {
    const running = await bench.claim(await bench.accept(k));
    await bench.clock.advance(windowMs * 100);
    const [accepted] = await bench.store.accept([bench.acceptance(k)]);
    expect(accepted).toEqual({ kind: 'existing', snapshot: running });
  });

  says('an older generation is still found by its id, with its events and result', async (bench) => {
    const result = new Uint8Array([34, 1, 55]);
    const first = await bench.succeed(await bench.claim(await bench.accept(k)), result);
    await bench.clock.advance(windowMs);
    await bench.accept(k);
    expect(await bench.read(first)).toEqual(first);
    expect(await bench.store.history(first.id, 0)).toHaveLength(3);
    expect(await bench.store.result(first.id)).toEqual(result);
  });

  says('an older generation can still be changed', async (bench) => {
    const first = await bench.die(await bench.accept(k));
    await bench.clock.advance(windowMs);
    const second = await bench.accept(k);
    const redriven = await bench.redrive(first);
    expect(redriven.head.state).toBe('waiting');
    expect(await bench.read(second)).toEqual(second);
  });

  says('of callers that race for a key that is free exactly one wins', async (bench) => {
    await past(bench);
    const calls = Array.from({ length: 5 }, () => bench.store.accept([bench.acceptance(k)]));
    const kinds = (await Promise.all(calls)).flat().map((one) => one.kind);
    expect(kinds.filter((kind) => kind === 'fresh')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'existing')).toHaveLength(4);
  });

  says('within one batch a second successor finds the first', async (bench) => {
    await past(bench);
    const [first, existing] = await bench.store.accept([bench.acceptance(k), bench.acceptance(k)]);
    if (first?.kind !== 'fresh' || existing?.kind !== 'existing') expect.fail('the first should stand');
    expect(existing.snapshot.id).toBe(first.snapshot.id);
  });

  says('in a lane they stand among the new ones of their batch, in the order given', async (bench) => {
    const orderingKey = 'ann';
    const asked = (key: string): Asked => ({ key, orderingKey, options: { windowMs } });
    for (const key of ['b', 'd', 'e']) {
      const ended = await past(bench, asked(key));
      await bench.store.leave(bench.lane(orderingKey), ended.id, ended.laneSeq);
    }
    const standing = await bench.accept(asked('taken'));
    const keys = ['a', 'b', 'taken', 'c', 'd', 'e', 'f'];
    const accepted = await bench.store.accept(keys.map((key) => bench.acceptance(asked(key))));
    expect(accepted[2]).toEqual({ kind: 'existing', snapshot: standing });
    const others = fresh(accepted.filter((_, i) => i !== 2));
    const listed = await bench.listAll({ orderingKey });
    expect(ids(listed.items)).toEqual(ids([standing, ...others]));
    const seqs = others.map((task) => task.laneSeq ?? Number.NaN);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  });
};
