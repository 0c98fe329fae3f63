import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { queue, StoreFixture } from '../../../../test/contract/store-fixture.ts';
import { type Priority, priorities } from '../../../core/priority.ts';
import type { Command } from '../../../core/task/command.ts';
import { leaseExpiredAtMs } from '../../../core/task/decision.ts';
import { isReady } from '../../../core/task/head.ts';
import type { Delivery } from '../../../ports/broker.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

/**
 * Sizes of the cache of ready tasks that are so small that ready lists overflow, are refilled and are evicted all the
 * time.
 */
const readyCache = { entries: 8, refillBelow: 4, refillBy: 3, bytes: 2_000 };
const queues = [queue, { tenant: 'acme', queue: 'bulk' }];
const types = ['send', 'note'];
const handledTypes = types.map((type) => ({ type, maxVersion: 2 }));

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let fixture: StoreFixture;

async function open(): Promise<SqliteEngine> {
  return sqlite({ path: join(folder, 'queue.db'), clock, ballastBytes: 0, readyCache });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ready-'));
  clock = virtualClock();
  engine = await open();
  fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

async function reopen(): Promise<void> {
  await engine.close();
  engine = await open();
  fixture.engine = engine;
}

/** Receives until no dispatch message is visible. All deliveries that it returns are in flight then. */
async function drain(): Promise<Delivery[]> {
  const received: Delivery[] = [];
  for (;;) {
    const deliveries = await fixture.receive({ types: handledTypes, tasks: 5 }, queues);
    if (deliveries.length === 0) return received;
    received.push(...deliveries);
  }
}

describe('a backlog larger than the ready cache', () => {
  it('is delivered to its end, in the order of acceptance', async () => {
    const tasks = await fixture.acceptMany(100);
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });

  it('is delivered after a restart, and is not read from the file when the store is opened', async () => {
    const tasks = await fixture.acceptMany(50);
    await reopen();
    expect(engine.stats().refills).toBe(0);
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });

  it('of one queue does not delay the tasks of another queue', async () => {
    await fixture.acceptMany(50);
    await fixture.acceptMany(50, () => ({ type: 'note' }));
    const [other] = await fixture.acceptMany(1, () => ({ queue: 'bulk' }));
    await reopen();
    await fixture.receive({ types: handledTypes, tasks: 1 }, [queue]);
    const [delivery] = await fixture.receive({ types: handledTypes }, [{ tenant: 'acme', queue: 'bulk' }]);
    expect(delivery?.message.id).toBe(other?.id);
    expect(await drain()).toHaveLength(99);
  });

  it('of low priority does not delay tasks of high priority, and is not starved by them', async () => {
    const low = await fixture.acceptMany(30, () => ({ options: { priority: 'low' } }));
    const high = await fixture.acceptMany(60, () => ({ options: { priority: 'high' } }));
    const received: Priority[] = [];
    for (let i = 0; i < 32; i++) received.push((await fixture.receiveOne()).message.priority);
    expect(received.filter((priority) => priority === 'low')).toHaveLength(2);
    expect(received[0]).toBe('high');
    expect((await drain()).length).toBe(low.length + high.length - 32);
  });

  it('is delivered in the order of acceptance, also if a few large tasks fill the cache', async () => {
    const payload = new Uint8Array(1_500);
    const tasks = await fixture.acceptMany(20, () => ({ payload }));
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });
});

const actionNames = [
  'accept',
  'lane',
  'delayed',
  'receive',
  'claim',
  'release',
  'succeed',
  'cancel',
  'hide',
  'delete',
] as const;
const rareActionNames = ['send', 'ready', 'wait', 'reopen', 'leave', 'rollBack'] as const;
const action = fc.record({
  name: fc.constantFrom(...actionNames, ...actionNames, ...rareActionNames),
  choice: fc.nat(1_000),
});
/** A random action of a client or a worker. `choice` selects the task, the delivery or the options. */
type Action = {
  readonly name: (typeof actionNames)[number] | (typeof rareActionNames)[number];
  readonly choice: number;
};

/** Runs random actions as clients and workers do. Skips an action that the task's state does not allow. */
class Callers {
  readonly ids: string[] = [];
  deliveries: Delivery[] = [];

  async run({ name, choice }: Action): Promise<void> {
    const request = {
      queue: queues[choice % 2]?.queue ?? '',
      type: types[choice % 3 === 0 ? 1 : 0] ?? '',
      typeVersion: 1 + (choice % 2),
    };
    const options = { priority: priorities[choice % 3] };
    if (name === 'accept') return this.#accept(3, { ...request, options });
    if (name === 'lane') return this.#accept(2, { ...request, options, orderingKey: `lane-${choice % 2}` });
    if (name === 'delayed') return this.#accept(1, { ...request, options: { ...options, delayMs: 10_000 } });
    if (name === 'wait') return clock.advance((choice % 5) * 10_000);
    if (name === 'reopen') return this.#reopen();
    if (name === 'receive') {
      const received = await fixture.receive({ types: handledTypes, tasks: 1 + (choice % 4) }, queues);
      this.deliveries.push(...received);
      for (const { snapshot, message } of received)
        expect(snapshot).toEqual((await fixture.store.read([message.id], fixture.now))[0]);
      return;
    }
    if (name === 'rollBack') return this.#rollBackOnce();
    const delivery = this.deliveries[choice % Math.max(1, this.deliveries.length)];
    if (name === 'hide' && delivery)
      await fixture.broker.changeVisibility([
        { receiptHandle: delivery.receiptHandle, ms: (choice % 4) * 10_000 },
      ]);
    else if (name === 'delete' && delivery) await fixture.broker.delete([delivery.receiptHandle]);
    else await this.#change(name, choice, delivery);
  }

  async #accept(count: number, request: Parameters<StoreFixture['accept']>[0]): Promise<void> {
    for (const task of await fixture.acceptMany(count, () => ({ ...request }))) this.ids.push(task.id);
  }

  async #reopen(): Promise<void> {
    await reopen();
    this.deliveries = [];
  }

  /** Makes a commit batch roll back and run again, so that the ready index is dropped and read from the file again. */
  async #rollBackOnce(): Promise<void> {
    const broken = fixture.acceptance();
    const submitted = { ...broken.submission.submitted, deadlineAtMs: 1.5 };
    const submission = { ...broken.submission, submitted };
    const [failed] = await fixture.store.accept([{ ...broken, submission }]);
    expect(failed?.kind).toBe('failed');
  }

  async #change(name: Action['name'], choice: number, delivery: Delivery | undefined): Promise<void> {
    const id = name === 'claim' ? delivery?.message.id : this.ids[choice % Math.max(1, this.ids.length)];
    if (id === undefined) return;
    const [task] = await fixture.store.read([id], fixture.now);
    if (task === undefined) return;
    const { state } = task.head;
    if (name === 'send') await fixture.broker.send([fixture.messageOf(task, 'again')]);
    else if (name === 'leave' && task.head.handOver) await leaveLane(task);
    else {
      // Another write may change the task first, so the outcome of this change may be a conflict.
      const command = commandOf(name, task, await isFirst(task));
      if (command !== undefined) await fixture.append(fixture.transition(task, command));
      else if (name === 'ready' && state === 'waiting') {
        await fixture.append(fixture.headChange(task, { waitUntilMs: undefined }));
      }
    }
  }
}

function commandOf(name: Action['name'], task: Snapshot, isFirst: boolean): Command | undefined {
  const { state } = task.head;
  if (name === 'claim' && isReady(task.head) && isFirst) return fixture.claimCommand();
  if (name === 'cancel' && state === 'waiting') return { kind: 'cancel', actor: 'op', message: '' };
  if (name === 'succeed' && state === 'running') return fixture.settleCommand(task);
  if (name === 'release' && state === 'running')
    return fixture.settleCommand(task, { outcome: 'released', countsAsRelease: false });
  return undefined;
}

async function isFirst(task: Snapshot): Promise<boolean> {
  const { orderingKey, scope } = task.submission;
  if (orderingKey === undefined) return true;
  return (await fixture.store.lowest({ ...scope, orderingKey }))?.id === task.id;
}

async function leaveLane(task: Snapshot): Promise<void> {
  const { orderingKey = '', scope } = task.submission;
  await fixture.store.leaveLane({ ...scope, orderingKey }, task.id, task.laneSeq);
}

/**
 * Returns the ids of the tasks whose dispatch messages must be visible once all timeouts have ended: tasks that are
 * ready and first in their lane, and running tasks, whose leases have expired by then.
 */
async function visibleIds(ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const id of ids) {
    const [task] = await fixture.store.read([id], fixture.now);
    if (task === undefined) continue;
    if (task.head.state === 'running' || (isReady(task.head) && (await isFirst(task)))) found.push(id);
  }
  return found;
}

async function openEmpty(): Promise<void> {
  await engine.close();
  rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ready-'));
  engine = await open();
  fixture.engine = engine;
}

it('after any sequence of actions, exactly the ready tasks and the running tasks with an expired lease are delivered', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.array(action, { minLength: 20, maxLength: 80 }), async (sequence) => {
        const callers = new Callers();
        for (const one of sequence) await callers.run(one as Action);
        // One minute is longer than any visibility timeout or lease of the random actions.
        await clock.advance(60_000);
        const received = (await drain()).map((delivery) => delivery.message.id);
        expect(received.toSorted()).toEqual((await visibleIds(callers.ids)).toSorted());
      })
      .beforeEach(openEmpty),
    { numRuns: 25 },
  );
});

/**
 * A worker that waits for deliveries and works on their tasks. It mishandles the first `careless` deliveries: ignores,
 * deletes or hides the delivery, or stops after the claim.
 */
async function worker(careless: number, done: AbortSignal): Promise<void> {
  let received = 0;
  while (!done.aborted) {
    const deliveries = await fixture.receive(
      { types: handledTypes, tasks: 2, waitMs: 20_000, signal: done },
      queues,
    );
    for (const { message, receiptHandle, snapshot } of deliveries) {
      const behaviour =
        ++received > careless ? 'work' : (['ignore', 'delete', 'hide', 'die', 'work'] as const)[received % 5];
      if (behaviour === 'delete') await fixture.broker.delete([receiptHandle]);
      else if (behaviour === 'hide') await fixture.broker.changeVisibility([{ receiptHandle, ms: 5_000 }]);
      else if (behaviour !== 'ignore' && snapshot !== undefined) await work(message.id, behaviour === 'die');
    }
  }
}

async function work(id: string, dies: boolean): Promise<void> {
  const [task] = await fixture.store.read([id], fixture.now);
  if (task === undefined || !(await isFirst(task))) return;
  const isExpired = task.head.state === 'running' && leaseExpiredAtMs(task.head) <= fixture.now;
  if (!isExpired && !isReady(task.head)) return;
  const claimed = await fixture.append(fixture.transition(task, fixture.claimCommand()));
  if (claimed.kind !== 'done' || claimed.head.state !== 'running' || dies) return;
  const [running] = await fixture.store.read([id], fixture.now);
  if (running?.head.state !== 'running') return;
  await fixture.append(fixture.transition(running, fixture.settleCommand(running)));
  if (running.head.inLane) await leaveLane(running);
}

it('waiting workers receive every task in the end, although some deliveries are ignored, deleted or hidden', async () => {
  await fc.assert(
    fc
      .asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 40 }),
        fc.nat(12),
        async (sequence, careless) => {
          const done = new AbortController();
          const workers = [worker(careless, done.signal), worker(careless, done.signal)];
          const callers = new Callers();
          const allowed = [
            'accept',
            'lane',
            'delayed',
            'cancel',
            'send',
            'ready',
            'leave',
            'rollBack',
            'wait',
          ];
          for (const one of sequence) if (allowed.includes(one.name)) await callers.run(one as Action);
          for (let i = 0; i < 10; i++) await clock.advance(35_000);
          expect(await visibleIds(callers.ids)).toEqual([]);
          done.abort();
          await Promise.all(workers);
        },
      )
      .beforeEach(openEmpty),
    { numRuns: 15 },
  );
});
