import { describe, expect, it } from 'vitest';
import { limits } from '../../core/limits.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { ReadBatcher } from './read-batcher.ts';

/** A store whose calls end when the test ends them. */
function slowStore() {
  const calls: { readonly ids: readonly string[]; end(): void; fail(thrown: unknown): void }[] = [];
  const clock = virtualClock();
  const batcher = new ReadBatcher<string>(
    clock,
    (ids) =>
      new Promise((resolve, reject) => {
        calls.push({ ids, end: () => resolve(ids.map((id) => `read ${id}`)), fail: reject });
      }),
  );
  return { calls, clock, batcher };
}

const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`);

describe('reads of many watched tasks at once', () => {
  it('are few calls to the store, at most four at the same time', async () => {
    const { calls, clock, batcher } = slowStore();
    const answers = Promise.all(idsOf(32_768).map((id) => batcher.read(id, false)));
    await clock.settle();
    expect(calls.map(({ ids }) => ids.length)).toEqual(Array(4).fill(limits.batchItems));
    for (let ended = 0; ended < calls.length; ended++) {
      expect(calls.length - ended).toBeLessThanOrEqual(4);
      calls[ended]?.end();
      await clock.settle();
    }
    expect(calls).toHaveLength(Math.ceil(32_768 / limits.batchItems));
    expect(await answers).toEqual(idsOf(32_768).map((id) => `read ${id}`));
  });

  it('go on after a call that fails', async () => {
    const { calls, clock, batcher } = slowStore();
    const answers = idsOf(5 * limits.batchItems).map((id) =>
      batcher.read(id, true).catch((thrown: Error) => thrown.message),
    );
    await clock.advance(1);
    calls[0]?.fail(new Error('down'));
    await clock.settle();
    for (const { end } of calls) end();
    await clock.settle();
    const read = await Promise.all(answers);
    expect(read.filter((answer) => answer === 'down')).toHaveLength(limits.batchItems);
    expect(read.filter((answer) => answer?.startsWith('read '))).toHaveLength(4 * limits.batchItems);
  });
});
