import fc from 'fast-check';
import { expect } from 'vitest';
import { leaseExpiredAtMs } from '../../../src/core/task/decision.ts';
import { fold } from '../../../src/core/task/evolve.ts';
import { dueAtMs, isEnded, isReady } from '../../../src/core/task/head.ts';
import type { Snapshot } from '../../../src/ports/task-store.ts';
import { ids, type StoreFixture } from '../store-fixture.ts';
import type { Subject } from '../subject.ts';

const actionNames = [
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
  'heartbeat',
  'stale',
  'leave',
  'reopen',
  'wait',
] as const;
/** A random action on the store. `choice` selects the task and the options. */
type Action = { readonly name: (typeof actionNames)[number]; readonly choice: number };

/** The expected content of the store, computed by plain rules. */
class Model {
  readonly tasks = new Map<string, Snapshot>();
  readonly lanes = new Map<string, string[]>();
  readonly keys = new Map<string, string>();

  put(task: Snapshot): void {
    this.tasks.set(task.id, task);
  }

  pick(choice: number): Snapshot | undefined {
    const all = [...this.tasks.values()];
    return all[choice % Math.max(1, all.length)];
  }

  lane(orderingKey: string): string[] {
    const lane = this.lanes.get(orderingKey) ?? [];
    this.lanes.set(orderingKey, lane);
    return lane;
  }
}

const windowMs = 60_000;

async function accept(fixture: StoreFixture, model: Model, choice: number): Promise<void> {
  const key = `k${choice % 7}`;
  const orderingKey = choice % 3 === 0 ? undefined : `lane${choice % 3}`;
  const known = model.tasks.get(model.keys.get(key) ?? '');
  const isOver = (one: Snapshot): boolean => fixture.now >= one.submission.acceptedAtMs + windowMs;
  const free = known === undefined || (isEnded(known.head) && isOver(known));
  const acceptance = fixture.acceptance({ key, orderingKey, options: { windowMs } });
  const [accepted] = await fixture.store.accept([acceptance]);
  if (!free) {
    expect(accepted).toEqual({ kind: 'existing', snapshot: known });
    return;
  }
  if (accepted?.kind !== 'fresh') expect.fail(`a submission with a free key was ${accepted?.kind}`);
  expect(model.tasks.has(accepted.snapshot.id)).toBe(false);
  model.put(accepted.snapshot);
  model.keys.set(key, accepted.snapshot.id);
  if (orderingKey !== undefined) model.lane(orderingKey).push(accepted.snapshot.id);
}

/** Applies an action to a running task. Returns undefined if a running task does not allow the action. */
async function changeRunning(
  fixture: StoreFixture,
  task: Snapshot,
  name: Action['name'],
): Promise<Snapshot | undefined> {
  const { fencingToken, cancelRequested } = task.head;
  const leaseEndAtMs = fixture.now + 30_000;
  switch (name) {
    case 'succeed':
      return fixture.succeed(task);
    case 'fail':
      return fixture.fail(task);
    case 'die':
      return cancelRequested ? undefined : fixture.die(task);
    case 'release': {
      const settle = fixture.settleCommand(task, {
        outcome: 'released',
        countsAsRelease: true,
        begun: false,
      });
      return fixture.apply(fixture.transition(task, settle));
    }
    case 'expire':
      await fixture.clock.advance(Math.max(0, leaseExpiredAtMs(task.head) - fixture.now));
      return fixture.apply(fixture.transition(task, { kind: 'expire' }));
    case 'heartbeat': {
      const renewal = { kind: 'renewal', id: task.id, expect: { fencingToken }, leaseEndAtMs } as const;
      return fixture.apply({ ...renewal, begun: true, progress: undefined });
    }
    default:
      return undefined;
  }
}

/** Applies an action to a task. Returns the changed task, or undefined if the task's state does not allow the action. */
async function change(
  fixture: StoreFixture,
  model: Model,
  task: Snapshot,
  name: Action['name'],
): Promise<Snapshot | undefined> {
  const { head, submission } = task;
  if (name === 'claim' && isReady(head)) return fixture.claim(task);
  if (name === 'ready' && head.waitUntilMs !== undefined) return fixture.makeReady(task);
  if (name === 'cancel' && !isEnded(head) && !head.cancelRequested) return fixture.cancel(task);
  if (name === 'redrive' && head.state === 'dead') {
    const { orderingKey } = submission;
    const left = orderingKey !== undefined && !model.lane(orderingKey).includes(task.id);
    if (head.inLane && !left) return undefined;
    if (left) model.lane(orderingKey).push(task.id);
    return fixture.redrive(head.handOver ? await fixture.finishHandOver(task) : task, left);
  }
  return head.state === 'running' ? changeRunning(fixture, task, name) : undefined;
}

async function leave(fixture: StoreFixture, model: Model, task: Snapshot): Promise<void> {
  const { orderingKey } = task.submission;
  if (orderingKey === undefined || !isEnded(task.head)) return;
  await fixture.store.leaveLane(fixture.lane(orderingKey), task.id);
  model.lanes.set(
    orderingKey,
    model.lane(orderingKey).filter((id) => id !== task.id),
  );
}

async function refuseStale(fixture: StoreFixture, task: Snapshot): Promise<void> {
  const stale = fixture.headChange(task, { waitUntilMs: 1 });
  const outcome = await fixture.append({ ...stale, expect: { revision: task.head.revision - 1 } });
  expect(outcome).toEqual({ kind: 'conflict', current: task });
}

/**
 * Expects the new events of a changed task to follow its earlier events. An engine may have archived the oldest of the
 * events that the earlier snapshot contains.
 */
function expectEventsFollow(changed: Snapshot, task: Snapshot): void {
  const firstOf = ({ head, tip }: Snapshot): number => head.version - tip.length + 1;
  const archived = firstOf(changed) - firstOf(task);
  expect(archived).toBeGreaterThanOrEqual(0);
  const kept = task.tip.slice(archived);
  expect(changed.tip.slice(0, kept.length)).toEqual(kept);
}

async function runAction(fixture: StoreFixture, model: Model, { name, choice }: Action): Promise<void> {
  if (name === 'accept late') await fixture.clock.advance(windowMs);
  if (name === 'accept' || name === 'accept late') return accept(fixture, model, choice);
  if (name === 'wait') return fixture.clock.advance(choice * 100);
  if (name === 'reopen') return fixture.reopen();
  const task = model.pick(choice);
  if (task === undefined) return;
  if (name === 'leave') return leave(fixture, model, task);
  if (name === 'stale') return refuseStale(fixture, task);
  const changed = await change(fixture, model, task, name);
  if (changed === undefined) return;
  expect(changed.head.revision).toBeGreaterThan(task.head.revision);
  expectEventsFollow(changed, task);
  model.put(changed);
}

/** Returns whether the task is ready and the first of its lane, or running on an expired lease. */
function isDeliverable(model: Model, task: Snapshot, nowMs: number): boolean {
  if (task.head.state === 'running') return nowMs >= leaseExpiredAtMs(task.head);
  const { orderingKey } = task.submission;
  const lowest = orderingKey === undefined || model.lane(orderingKey)[0] === task.id;
  return isReady(task.head) && lowest;
}

async function compareDeliveries(fixture: StoreFixture, model: Model): Promise<void> {
  // This test sends no dispatch messages, so an external broker must deliver nothing.
  const tasks = fixture.transactionalDispatch ? [...model.tasks.values()] : [];
  const expected = tasks.filter((task) => isDeliverable(model, task, fixture.now));
  const deliveries = await fixture.receive({ tasks: 100 });
  expect(deliveries.map((delivery) => delivery.message.id).toSorted()).toEqual(ids(expected).toSorted());
  for (const delivery of deliveries) expect(delivery.snapshot).toEqual(model.tasks.get(delivery.message.id));
}

async function compare(fixture: StoreFixture, model: Model): Promise<void> {
  const tasks = [...model.tasks.values()];
  const { items } = await fixture.listAll();
  expect(ids(items).toSorted()).toEqual([...model.tasks.keys()].toSorted());
  const due = await fixture.dueIds(fixture.now + years);
  const expected = tasks.filter((task) => dueAtMs(task.head) !== undefined);
  expect(due.toSorted()).toEqual(ids(expected).toSorted());
  for (const item of items) {
    expect(item).toEqual(model.tasks.get(item.id));
    const events = await fixture.store.history(item.id, 0);
    const { leaseSecret, leaseEndAtMs, begun, progress, revision, waitUntilMs, handOver } = item.head;
    const unfolded = { leaseSecret, leaseEndAtMs, begun, progress, revision, waitUntilMs, handOver };
    const folded = { ...fold(events), ...unfolded };
    expect(folded).toEqual(item.head);
    expect(events).toHaveLength(item.head.version);
  }
  for (const [orderingKey, lane] of model.lanes) {
    expect((await fixture.store.lowest(fixture.lane(orderingKey)))?.id).toBe(lane[0]);
  }
  await compareDeliveries(fixture, model);
}

const years = 400 * 86_400_000;
const action = fc.record({ name: fc.constantFrom(...actionNames), choice: fc.nat(50) });

export const randomActions: Subject = (requires) => {
  requires(
    'after any sequence of actions the store has the expected content, and each head is the fold of its events',
    async (_, openAnother) => {
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 80 }), async (sequence) => {
          const fixture = await openAnother();
          const model = new Model();
          for (const one of sequence) await runAction(fixture, model, one);
          await compare(fixture, model);
        }),
        { numRuns: 25 },
      );
    },
  );
};
