import { describe, expect, it } from 'vitest';
import { Bench } from '../../../test/contract/store-fixture.ts';
import { HoldfastError } from '../../core/errors.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { Faults, Operation } from './index.ts';

const cut = new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'cut');

function given(faults: Faults) {
  const clock = virtualClock();
  const engine = externalMemory({ clock, faults });
  const sane = new Bench({ engine, clock, reopen: async () => engine });
  const node = new Bench({ engine: engine.connect('node'), clock, reopen: async () => engine });
  return { clock, sane, node };
}

const ofNode = (operation: Operation, name: string): boolean =>
  operation.caller === 'node' && operation.name === name;

describe('faults of the store', () => {
  it('before an operation: nothing was done', async () => {
    const before = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? Promise.reject(cut) : undefined;
    const { sane, node } = given({ before });
    await expect(node.accept({ key: 'k' })).rejects.toBe(cut);
    expect((await sane.listAll()).items).toEqual([]);
  });

  it('after an operation: it was done and the answer is lost', async () => {
    const after = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? Promise.reject(cut) : undefined;
    const { sane, node } = given({ after });
    await expect(node.accept({ key: 'k' })).rejects.toBe(cut);
    expect((await sane.listAll()).items).toHaveLength(1);
  });

  it('a caller may die on either side of the effect and is never answered', async () => {
    const never = new Promise<void>(() => {});
    const after = (operation: Operation) => (operation.caller === 'node' ? never : undefined);
    const { clock, sane, node } = given({ after });
    let answered = false;
    void node.accept().finally(() => {
      answered = true;
    });
    await clock.advance(3_600_000);
    expect(answered).toBe(false);
    expect((await sane.listAll()).items).toHaveLength(1);
  });

  it('an operation may take its time; it takes effect at one moment', async () => {
    let node: Bench | undefined;
    const before = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? node?.clock.sleep(500) : undefined;
    const parts = given({ before });
    node = parts.node;
    const accepted = node.accept();
    await parts.clock.advance(499);
    expect((await parts.sane.listAll()).items).toEqual([]);
    await parts.clock.advance(1);
    expect((await parts.sane.listAll()).items).toHaveLength(1);
    await accepted;
  });

  it('the due index may lag behind the heads, in the order of what happened', async () => {
    let lagMs = 3_000;
    const { clock, sane } = given({ indexLagMs: () => lagMs });
    const task = await sane.accept({ options: { deadlineAtMs: clock.now() + 1_000 } });
    await clock.advance(2_999);
    expect(await sane.dueIds()).toEqual([]);
    lagMs = 0;
    await sane.claim(task);
    await clock.advance(1);
    expect(await sane.dueIds()).toEqual([]);
  });

  it('a store may be wrong on purpose about conditions', async () => {
    const { sane } = given({ condition: () => true });
    const task = await sane.accept();
    await sane.claim(task);
    expect((await sane.append(sane.transition(task, sane.claimOf()))).kind).toBe('done');
  });
});
