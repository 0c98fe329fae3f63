import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bench, queue } from '../../../../test/contract/store-fixture.ts';
import { type Priority, priorities } from '../../../core/submission/submission.ts';
import type { Command } from '../../../core/task/command.ts';
import { leaseExpiredAtMs } from '../../../core/task/decision.ts';
import { isReady } from '../../../core/task/head.ts';
import type { Delivery } from '../../../ports/broker.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { type SqliteEngine, sqlite } from '../index.ts';

/** So small that everything overflows, refills and is given up all the time. */
const readyCache = { entries: 8, refillBelow: 4, refillBy: 3, bytes: 2_000 };
const queues = [queue, { tenant: 'acme', queue: 'bulk' }];
const types = ['send', 'note'];
const wanted = types.map((type) => ({ type, maxVersion: 2 }));

let folder: string;
let clock: VirtualClock;
let engine: SqliteEngine;
let bench: Bench;

async function open(): Promise<SqliteEngine> {
  return sqlite({ path: join(folder, 'queue.db'), clock, ballastBytes: 0, readyCache });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ready-'));
  clock = virtualClock();
  engine = await open();
  bench = new Bench({ engine, clock, reopen: async () => engine });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

async function reopen(): Promise<void> {
  await engine.close();
  engine = await open();
  bench.engine = engine;
}

/** Everything that can be heard, each held when it is. */
async function drain(): Promise<Delivery[]> {
  const received: Delivery[] = [];
  for (;;) {
    const deliveries = await bench.receive({ types: wanted, tasks: 5 }, queues);
    if (deliveries.length === 0) return received;
    received.push(...deliveries);
  }
}

describe('a backlog larger than the memory for it', () => {
  it('is heard to its end, in the order in which it was accepted', async () => {
    const tasks = await bench.acceptMany(100);
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });

  it('is heard after a restart without having been read at the start', async () => {
    const tasks = await bench.acceptMany(50);
    await reopen();
    expect(engine.stats().refills).toBe(0);
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });

  it('of one queue does not keep another queue’s tasks from being heard', async () => {
    await bench.acceptMany(50);
    await bench.acceptMany(50, () => ({ type: 'note' }));
    const [other] = await bench.acceptMany(1, () => ({ queue: 'bulk' }));
    await reopen();
    await bench.receive({ types: wanted, tasks: 1 }, [queue]);
    const [delivery] = await bench.receive({ types: wanted }, [{ tenant: 'acme', queue: 'bulk' }]);
    expect(delivery?.message.id).toBe(other?.id);
    expect(await drain()).toHaveLength(99);
  });

  it('of low priority does not delay what is high, and is not starved by it', async () => {
    const low = await bench.acceptMany(30, () => ({ options: { priority: 'low' } }));
    const high = await bench.acceptMany(60, () => ({ options: { priority: 'high' } }));
    const received: Priority[] = [];
    for (let i = 0; i < 32; i++) received.push((await bench.receiveOne()).message.priority);
    expect(received.filter((priority) => priority === 'low')).toHaveLength(2);
    expect(received[0]).toBe('high');
    expect((await drain()).length).toBe(low.length + high.length - 32);
  });

  it('holds large tasks in the file, however few they are', async () => {
    const payload = new Uint8Array(1_500);
    const tasks = await bench.acceptMany(20, () => ({ payload }));
    expect((await drain()).map((delivery) => delivery.message.id)).toEqual(tasks.map((task) => task.id));
  });
});

const deeds = [
  'accept',
  'lane',
  'later',
  'hear',
  'claim',
  'release',
  'succeed',
  'cancel',
  'hide',
  'silence',
] as const;
const more = ['ring', 'ready', 'wait', 'reopen', 'leave', 'full'] as const;
const deed = fc.record({ what: fc.constantFrom(...deeds, ...deeds, ...more), who: fc.nat(1_000) });
type Deed = { readonly what: (typeof deeds)[number] | (typeof more)[number]; readonly who: number };

/** One process's callers, doing whatever the task's state allows. */
class Callers {
  readonly ids: string[] = [];
  deliveries: Delivery[] = [];

  async do({ what, who }: Deed): Promise<void> {
    const asked = {
      queue: queues[who % 2]?.queue ?? '',
      type: types[who % 3 === 0 ? 1 : 0] ?? '',
      typeVersion: 1 + (who % 2),
    };
    const options = { priority: priorities[who % 3] };
    if (what === 'accept') return this.#accept(3, { ...asked, options });
    if (what === 'lane') return this.#accept(2, { ...asked, options, orderingKey: `lane-${who % 2}` });
    if (what === 'later') return this.#accept(1, { ...asked, options: { ...options, delayMs: 10_000 } });
    if (what === 'wait') return clock.advance((who % 5) * 10_000);
    if (what === 'reopen') return this.#reopen();
    if (what === 'hear') {
      const received = await bench.receive({ types: wanted, tasks: 1 + (who % 4) }, queues);
      this.deliveries.push(...received);
      for (const { snapshot, message } of received)
        expect(snapshot).toEqual((await bench.store.read([message.id], bench.now))[0]);
      return;
    }
    if (what === 'full') return this.#failTurn();
    const delivery = this.deliveries[who % Math.max(1, this.deliveries.length)];
    if (what === 'hide' && delivery)
      await bench.broker.changeVisibility([
        { receiptHandle: delivery.receiptHandle, ms: (who % 4) * 10_000 },
      ]);
    else if (what === 'silence' && delivery) await bench.broker.delete([delivery.receiptHandle]);
    else await this.#change(what, who, delivery);
  }

  async #accept(count: number, asked: Parameters<Bench['accept']>[0]): Promise<void> {
    for (const task of await bench.acceptMany(count, () => ({ ...asked }))) this.ids.push(task.id);
  }

  async #reopen(): Promise<void> {
    await reopen();
    this.deliveries = [];
  }

  /** A turn that is undone and done again: memory is taken from the file anew. */
  async #failTurn(): Promise<void> {
    const broken = bench.acceptance();
    const submitted = { ...broken.submission.submitted, deadlineAtMs: 1.5 };
    const submission = { ...broken.submission, submitted };
    const [failed] = await bench.store.accept([{ ...broken, submission }]);
    expect(failed?.kind).toBe('failed');
  }

  async #change(what: Deed['what'], who: number, delivery: Delivery | undefined): Promise<void> {
    const id = what === 'claim' ? delivery?.message.id : this.ids[who % Math.max(1, this.ids.length)];
    if (id === undefined) return;
    const [task] = await bench.store.read([id], bench.now);
    if (task === undefined) return;
    const { state } = task.head;
    if (what === 'ring') await bench.broker.send([bench.messageOf(task, 'again')]);
    else if (what === 'leave' && task.head.handOver) await leave(task);
    else {
      // Whoever was faster wins, and that is as it should be.
      const command = commandOf(what, task, await isFirst(task));
      if (command !== undefined) await bench.append(bench.transition(task, command));
      else if (what === 'ready' && state === 'waiting') {
        await bench.append(bench.headChange(task, { waitUntilMs: undefined }));
      }
    }
  }
}

function commandOf(what: Deed['what'], task: Snapshot, isFirst: boolean): Command | undefined {
  const { state } = task.head;
  if (what === 'claim' && isReady(task.head) && isFirst) return bench.claimOf();
  if (what === 'cancel' && state === 'waiting') return { kind: 'cancel', actor: 'op', message: '' };
  if (what === 'succeed' && state === 'running') return bench.settleOf(task);
  if (what === 'release' && state === 'running')
    return bench.settleOf(task, { outcome: 'released', counted: false });
  return undefined;
}

async function isFirst(task: Snapshot): Promise<boolean> {
  const { orderingKey, scope } = task.submission;
  if (orderingKey === undefined) return true;
  return (await bench.store.lowest({ ...scope, orderingKey }))?.id === task.id;
}

async function leave(task: Snapshot): Promise<void> {
  const { orderingKey = '', scope } = task.submission;
  await bench.store.leave({ ...scope, orderingKey }, task.id, task.laneSeq);
}

/** Tasks that must be heard by now: ready and first in their lane, or running on a lease that is spent. */
async function visible(ids: readonly string[]): Promise<string[]> {
  const visible: string[] = [];
  for (const id of ids) {
    const [task] = await bench.store.read([id], bench.now);
    if (task === undefined) continue;
    if (task.head.state === 'running' || (isReady(task.head) && (await isFirst(task)))) visible.push(id);
  }
  return visible;
}

async function fresh(): Promise<void> {
  await engine.close();
  rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ready-'));
  engine = await open();
  bench.engine = engine;
}

it('whatever happens, nothing that is ready is silent for ever, and nothing else is heard', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.array(deed, { minLength: 20, maxLength: 80 }), async (sequence) => {
        const callers = new Callers();
        for (const one of sequence) await callers.do(one as Deed);
        // Longer than any bell was hidden and any lease runs.
        await clock.advance(60_000);
        const received = (await drain()).map((delivery) => delivery.message.id);
        expect(received.toSorted()).toEqual((await visible(callers.ids)).toSorted());
      })
      .beforeEach(fresh),
    { numRuns: 25 },
  );
});

/** Waits for bells, and is careless with the first of them: forgets, silences, hides, or dies on the lease. */
async function worker(careless: number, done: AbortSignal): Promise<void> {
  let received = 0;
  while (!done.aborted) {
    const deliveries = await bench.receive({ types: wanted, tasks: 2, waitMs: 20_000, signal: done }, queues);
    for (const { message, receiptHandle, snapshot } of deliveries) {
      const way =
        ++received > careless
          ? 'work'
          : (['forget', 'silence', 'hide', 'die', 'work'] as const)[received % 5];
      if (way === 'silence') await bench.broker.delete([receiptHandle]);
      else if (way === 'hide') await bench.broker.changeVisibility([{ receiptHandle, ms: 5_000 }]);
      else if (way !== 'forget' && snapshot !== undefined) await work(message.id, way === 'die');
    }
  }
}

async function work(id: string, dies: boolean): Promise<void> {
  const [task] = await bench.store.read([id], bench.now);
  if (task === undefined || !(await isFirst(task))) return;
  const spent = task.head.state === 'running' && leaseExpiredAtMs(task.head) <= bench.now;
  if (!spent && !isReady(task.head)) return;
  const claimed = await bench.append(bench.transition(task, bench.claimOf()));
  if (claimed.kind !== 'done' || claimed.head.state !== 'running' || dies) return;
  const [running] = await bench.store.read([id], bench.now);
  if (running?.head.state !== 'running') return;
  await bench.append(bench.transition(running, bench.settleOf(running)));
  if (running.head.inLane) await leave(running);
}

it('whoever waits is told of everything that there is to do, without asking again', async () => {
  await fc.assert(
    fc
      .asyncProperty(
        fc.array(deed, { minLength: 5, maxLength: 40 }),
        fc.nat(12),
        async (sequence, careless) => {
          const done = new AbortController();
          const workers = [worker(careless, done.signal), worker(careless, done.signal)];
          const callers = new Callers();
          const calm = ['accept', 'lane', 'later', 'cancel', 'ring', 'ready', 'leave', 'full', 'wait'];
          for (const one of sequence) if (calm.includes(one.what)) await callers.do(one as Deed);
          for (let i = 0; i < 10; i++) await clock.advance(35_000);
          expect(await visible(callers.ids)).toEqual([]);
          done.abort();
          await Promise.all(workers);
        },
      )
      .beforeEach(fresh),
    { numRuns: 15 },
  );
});
