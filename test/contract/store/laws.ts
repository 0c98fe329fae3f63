import fc from 'fast-check';
import { expect } from 'vitest';
import { leaseExpiredAtMs } from '../../../src/core/task/decision.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { dueAtMs, isEnded, isReady } from '../../../src/core/task/head.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { type Bench, ids } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const deeds = [
  'accept',
  'accept late',
  'claim',
  'succeed',
  'fail',
  'die',
  'release',
  'expire',
  'ready',
  'cancel',
  'redrive',
  'beat',
  'stale',
  'leave',
  'reopen',
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

const windowMs = 60_000;

async function accept(bench: Bench, model: Model, who: number): Promise<void> {
  const key = `k${who % 7}`;
  const orderingKey = who % 3 === 0 ? undefined : `lane${who % 3}`;
  const known = model.tasks.get(model.keys.get(key) ?? '');
  const isOver = (one: Snapshot): boolean => bench.now >= one.submission.acceptedAtMs + windowMs;
  const free = known === undefined || (isEnded(known.head) && isOver(known));
  const acceptance = bench.acceptance({ key, orderingKey, options: { windowMs } });
  const [accepted] = await bench.store.accept([acceptance]);
  if (!free) {
    expect(accepted).toEqual({ kind: 'existing', snapshot: known });
    return;
  }
  if (accepted?.kind !== 'fresh') expect.fail(`a free key was ${accepted?.kind}`);
  expect(model.tasks.has(accepted.snapshot.id)).toBe(false);
  model.put(accepted.snapshot);
  model.keys.set(key, accepted.snapshot.id);
  if (orderingKey !== undefined) model.lane(orderingKey).push(accepted.snapshot.id);
}

/** What a running task's deeds make of it; undefined: not one of those. */
async function changeRunning(
  bench: Bench,
  task: Snapshot,
  what: Deed['what'],
): Promise<Snapshot | undefined> {
  const { fencingToken, cancelRequested } = task.head;
  const leaseEndAtMs = bench.now + 30_000;
  switch (what) {
    case 'succeed':
      return bench.succeed(task);
    case 'fail':
      return bench.fail(task);
    case 'die':
      return cancelRequested ? undefined : bench.die(task);
    case 'release': {
      const settle = bench.settleOf(task, { outcome: 'released', counted: true, random: 0 });
      return bench.done(bench.transition(task, settle));
    }
    case 'expire':
      await bench.clock.advance(Math.max(0, leaseExpiredAtMs(task.head) - bench.now));
      return bench.done(bench.transition(task, { kind: 'expire' }));
    case 'beat': {
      const beat = { kind: 'renewal', id: task.id, expect: { fencingToken }, leaseEndAtMs } as const;
      return bench.done({ ...beat, progress: undefined });
    }
    default:
      return undefined;
  }
}

/** Does what the task's state allows; the store must do it and show exactly that. */
async function change(
  bench: Bench,
  model: Model,
  task: Snapshot,
  what: Deed['what'],
): Promise<Snapshot | undefined> {
  const { head, submission } = task;
  if (what === 'claim' && isReady(head)) return bench.claim(task);
  if (what === 'ready' && head.waitUntilMs !== undefined) return bench.makeReady(task);
  if (what === 'cancel' && !isEnded(head) && !head.cancelRequested) return bench.cancel(task);
  if (what === 'redrive' && head.state === 'dead') {
    const { orderingKey } = submission;
    const left = orderingKey !== undefined && !model.lane(orderingKey).includes(task.id);
    if (head.inLane && !left) return undefined;
    if (left) model.lane(orderingKey).push(task.id);
    return bench.redrive(head.handOver ? await bench.handedOver(task) : task, left);
  }
  return head.state === 'running' ? changeRunning(bench, task, what) : undefined;
}

async function leave(bench: Bench, model: Model, task: Snapshot): Promise<void> {
  const { orderingKey } = task.submission;
  if (orderingKey === undefined || !isEnded(task.head)) return;
  await bench.store.leave(bench.lane(orderingKey), task.id);
  model.lanes.set(
    orderingKey,
    model.lane(orderingKey).filter((id) => id !== task.id),
  );
}

async function refuseStale(bench: Bench, task: Snapshot): Promise<void> {
  const stale = bench.headChange(task, { waitUntilMs: 1 });
  const outcome = await bench.append({ ...stale, expect: { revision: task.head.revision - 1 } });
  expect(outcome).toEqual({ kind: 'refused', current: task });
}

/** The events go on from those before; an engine may have moved older ones out of the tip. */
function expectFollows(changed: Snapshot, task: Snapshot): void {
  const firstOf = ({ head, tip }: Snapshot): number => head.version - tip.length + 1;
  const movedOut = firstOf(changed) - firstOf(task);
  expect(movedOut).toBeGreaterThanOrEqual(0);
  const stayed = task.tip.slice(movedOut);
  expect(changed.tip.slice(0, stayed.length)).toEqual(stayed);
}

async function doOne(bench: Bench, model: Model, { what, who }: Deed): Promise<void> {
  if (what === 'accept late') await bench.clock.advance(windowMs);
  if (what === 'accept' || what === 'accept late') return accept(bench, model, who);
  if (what === 'wait') return bench.clock.advance(who * 100);
  if (what === 'reopen') return bench.reopen();
  const task = model.pick(who);
  if (task === undefined) return;
  if (what === 'leave') return leave(bench, model, task);
  if (what === 'stale') return refuseStale(bench, task);
  const changed = await change(bench, model, task, what);
  if (changed === undefined) return;
  expect(changed.head.revision).toBeGreaterThan(task.head.revision);
  expectFollows(changed, task);
  model.put(changed);
}

/** Ready and the lowest of its lane, or running on a lease that is spent. */
function isDeliverable(model: Model, task: Snapshot, nowMs: number): boolean {
  if (task.head.state === 'running') return nowMs >= leaseExpiredAtMs(task.head);
  const { orderingKey } = task.submission;
  const lowest = orderingKey === undefined || model.lane(orderingKey)[0] === task.id;
  return isReady(task.head) && lowest;
}

async function compareDeliveries(bench: Bench, model: Model): Promise<void> {
  // Where bells are apart nothing was rung here, so that nothing may be heard.
  const tasks = bench.transactionalDispatch ? [...model.tasks.values()] : [];
  const expected = tasks.filter((task) => isDeliverable(model, task, bench.now));
  const deliveries = await bench.receive({ tasks: 100 });
  expect(deliveries.map((delivery) => delivery.message.id).toSorted()).toEqual(ids(expected).toSorted());
  for (const delivery of deliveries) expect(delivery.snapshot).toEqual(model.tasks.get(delivery.message.id));
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
  await compareDeliveries(bench, model);
}

const years = 400 * 86_400_000;
const deed = fc.record({ what: fc.constantFrom(...deeds), who: fc.nat(50) });

export const laws: Subject = (says) => {
  says(
    'any sequence of deeds leaves what plain rules say, and every head is its events’ fold',
    async (_, another) => {
      await fc.assert(
        fc.asyncProperty(fc.array(deed, { minLength: 20, maxLength: 80 }), async (sequence) => {
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
