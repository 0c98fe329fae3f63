import { describe, expect, it } from 'vitest';
import { StoreFixture } from '../../../test/contract/store-fixture.ts';
import { HoldfastError } from '../../core/errors.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { Faults, Operation } from './index.ts';

const cut = new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'cut');

function openWithFaults(faults: Faults) {
  const clock = virtualClock();
  const engine = externalMemory({ clock, faults });
  const healthy = new StoreFixture({ engine, clock, reopen: async () => engine });
  const node = new StoreFixture({ engine: engine.connect('node'), clock, reopen: async () => engine });
  return { clock, healthy, node };
}

const ofNode = (operation: Operation, name: string): boolean =>
  operation.caller === 'node' && operation.name === name;

describe('the memory engine with injected faults', () => {
  it('leaves the store unchanged if a fault throws an error before an operation', async () => {
    const before = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? Promise.reject(cut) : undefined;
    const { healthy, node } = openWithFaults({ before });
    await expect(node.accept({ key: 'k' })).rejects.toBe(cut);
    expect((await healthy.listAll()).items).toEqual([]);
  });

  it('loses the response of an operation that took effect, if a fault throws an error after the operation', async () => {
    const after = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? Promise.reject(cut) : undefined;
    const { healthy, node } = openWithFaults({ after });
    await expect(node.accept({ key: 'k' })).rejects.toBe(cut);
    expect((await healthy.listAll()).items).toHaveLength(1);
  });

  it('never answers a caller that dies after the effect of its operation', async () => {
    const never = new Promise<void>(() => {});
    const after = (operation: Operation) => (operation.caller === 'node' ? never : undefined);
    const { clock, healthy, node } = openWithFaults({ after });
    let answered = false;
    void node.accept().finally(() => {
      answered = true;
    });
    await clock.advance(3_600_000);
    expect(answered).toBe(false);
    expect((await healthy.listAll()).items).toHaveLength(1);
  });

  it('lets a slow operation take effect at one moment', async () => {
    let node: StoreFixture | undefined;
    const before = (operation: Operation) =>
      ofNode(operation, 'store.accept') ? node?.clock.sleep(500) : undefined;
    const parts = openWithFaults({ before });
    node = parts.node;
    const accepted = node.accept();
    await parts.clock.advance(499);
    expect((await parts.healthy.listAll()).items).toEqual([]);
    await parts.clock.advance(1);
    expect((await parts.healthy.listAll()).items).toHaveLength(1);
    await accepted;
  });

  it('applies the updates of a lagging due index in the order of the commits', async () => {
    let lagMs = 3_000;
    const { clock, healthy } = openWithFaults({ indexLagMs: () => lagMs });
    const task = await healthy.accept({ options: { deadlineAtMs: clock.now() + 1_000 } });
    await clock.advance(2_999);
    expect(await healthy.dueIds()).toEqual([]);
    lagMs = 0;
    await healthy.claim(task);
    await clock.advance(1);
    expect(await healthy.dueIds()).toEqual([]);
  });

  it('applies a conditional write whose condition is false, if a fault switches the check of the condition off', async () => {
    const { healthy } = openWithFaults({ condition: () => true });
    const task = await healthy.accept();
    await healthy.claim(task);
    expect((await healthy.append(healthy.transition(task, healthy.claimCommand()))).kind).toBe('done');
  });
});
