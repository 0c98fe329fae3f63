import fc from 'fast-check';
import { expect } from 'vitest';
import { fold } from '../../src/core/evolve.ts';
import { dueAtMs, isEnded } from '../../src/core/head.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { type Bench, ids } from './bench.ts';
import type { Subject } from './subject.ts';

const deeds = [
  'accept',
  'claim',
  'succeed',
  'fail',
  'ready',
  'cancel',
  'beat',
  'stale',
  'leave',
  'wait',
] as const;
type Deed = { readonly what: (typeof deeds)[number]; readonly who: number };

/** What must be in the store, kept by plain rules beside it. */
class Model {
  readonly tasks = new Map<string, Snapshot>();
  readonly lanes = new Map<string, string[]>();
  readonly keys = new Map<string, string>();

  put(task: Snapshot): void {
    this.tasks.set(task.id, task);
  }

  pick(who: number): Snapshot | undefined {
    const all = [...this.tasks.values()];
    return all[who % Math.max(1, all.length)];
  }

  lane(orderingKey: string): string[] {
    const lane = this.lanes.get(orderingKey) ?? [];
    this.lanes.set(orderingKey, lane);
    return lane;
  }
}

async function accept(bench: Bench, model: Model, who: number): Promise<void> {
  const key = `k${who % 7}`;
  const orderingKey = who % 3 === 0 ? undefined : `lane${who % 3}`;
  const [accepted] = await bench.store.accept([bench.acceptance({ key, orderingKey })]);
  const known = model.keys.get(key);
  if (known !== undefined) {
    expect(accepted).toEqual({ kind: 'existing', snapshot: model.tasks.get(known) });
    return;
  }
  if (accepted?.kind !== 'fresh') expect.fail(`a free key was ${accepted?.kind}`);
  expect(model.tasks.has(accepted.snapshot.id)).toBe(false);
  model.put(accepted.snapshot);
  model.keys.set(key, accepted.snapshot.id);
  if (orderingKey !== undefined) model.lane(orderingKey).push(accepted.snapshot.id);
}

/** Every deed that a task's state allows; the store must do it and show exactly that. */
async function change(bench: Bench, task: Snapshot, what: Deed['what']): Promise<Snapshot | undefined> {
  const { state, waitUntilMs, fencingToken: token } = task.head;
  if (what === 'claim' && state === 'waiting' && waitUntilMs === undefined) return bench.claim(task);
  if (what === 'ready' && waitUntilMs !== undefined) return bench.makeReady(task);
  if (what === 'cancel' && !isEnded(task.head) && !task.head.cancelRequested) return bench.cancel(task);
  if (state !== 'running') return undefined;
  if (what === 'succeed') return bench.succeed(task);
  if (what === 'fail') return bench.fail(task);
  const leaseEndAtMs = bench.now + 30_000;
  if (what !== 'beat') return undefined;
  return bench.done({ kind: 'renewal', id: task.id, expect: { token }, leaseEndAtMs, progress: undefined });
}

async function doOne(bench: Bench, model: Model, { what, who }: Deed): Promise<void> {
  if (what === 'accept') return accept(bench, model, who);
  if (what === 'wait') return bench.clock.advance(who);
  const task = model.pick(who);
  if (task === undefined) return;
  if (what === 'leave') {
    const { orderingKey } = task.submission;
    if (orderingKey === undefined || !isEnded(task.head)) return;
    await bench.store.leave(bench.lane(orderingKey), task.id);
    model.lanes.set(
      orderingKey,
      model.lane(orderingKey).filter((id) => id !== task.id),
    );
    return;
  }
  if (what === 'stale') {
    const stale = {
      ...bench.headChange(task, { waitUntilMs: 1 }),
      expect: { revision: task.head.revision - 1 },
    };
    expect(await bench.append(stale)).toEqual({ kind: 'refused', stood: task });
    return;
  }
  const changed = await change(bench, task, what);
  if (changed === undefined) return;
  expect(changed.head.revision).toBe(task.head.revision + 1);
  expect(changed.tip.slice(0, task.tip.length)).toEqual(task.tip);
  model.put(changed);
}

async function compare(bench: Bench, model: Model): Promise<void> {
  const tasks = [...model.tasks.values()];
  const { items } = await bench.listAll();
  expect(ids(items).toSorted()).toEqual([...model.tasks.keys()].toSorted());
  const due = await bench.dueIds(bench.now + years);
  const expected = tasks.filter((task) => dueAtMs(task.head) !== undefined);
  expect(due.toSorted()).toEqual(ids(expected).toSorted());
  for (const item of items) {
    expect(item).toEqual(model.tasks.get(item.id));
    const events = await bench.store.history(item.id, 0);
    const { leaseEndAtMs, progress, revision, waitUntilMs, handOver } = item.head;
    const folded = { ...fold(events), leaseEndAtMs, progress, revision, waitUntilMs, handOver };
    expect(folded).toEqual(item.head);
    expect(events).toHaveLength(item.head.version);
  }
  for (const [orderingKey, lane] of model.lanes) {
    expect((await bench.store.lowest(bench.lane(orderingKey)))?.id).toBe(lane[0]);
  }
}

const years = 400 * 86_400_000;
const deed = fc.record({ what: fc.constantFrom(...deeds), who: fc.nat(50) });

export const laws: Subject = (says) => {
  says(
    'any sequence of deeds leaves what plain rules say, and every head is its events’ fold',
    async (_, another) => {
      await fc.assert(
        fc.asyncProperty(fc.array(deed, { minLength: 20, maxLength: 60 }), async (sequence) => {
          const bench = await another();
          const model = new Model();
          for (const one of sequence) await doOne(bench, model, one);
          await compare(bench, model);
        }),
        { numRuns: 25 },
      );
    },
  );
};
