/** What a task's life costs, by the way it goes: measured on the stand-ins, submit to done. */

import type { QueueRef } from '../../src/ports/task-store.ts';
import { looks, reconcile } from '../../src/runtime/reconcile.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import type { MovingClock } from '../../test/fixtures/moving-clock.ts';
import { type CostNode, type Site, startSite } from './cost-table.ts';
import { itemOf, oneKb, type PayloadOf } from './payloads.ts';
import { times, type Units } from './prices.ts';
import { type Batches, claimAll, settleAll, submitAll, work } from './work.ts';

const never = new AbortController().signal;
const second = 1_000;

interface Stage {
  readonly site: Site<MovingClock>;
  readonly api: CostNode;
  readonly worker: CostNode;
  readonly queue: QueueRef;
}

/** A site of its own, whose first calls (queues, settings, counts of shards) are not counted. */
export async function onStage<T>(play: (stage: Stage) => Promise<T>): Promise<T> {
  const site = await startSite();
  try {
    const [api, worker] = [await site.node('api'), await site.node('worker')];
    const queue = await site.queue('webhooks');
    for (const { context } of [api, worker]) await context.store.countDueShards?.();
    site.reset();
    return await play({ site, api, worker, queue });
  } finally {
    await site.stop();
  }
}

export interface Life {
  /** Until every task is done. */
  readonly life: Units;
  /** The reconciler's looks at it, all of them. */
  readonly looks: Units;
}

/** One attempt, submit to done, then every look of the reconciler at its time. */
export function happyLife(payload: PayloadOf, count: number, batches: Batches): Promise<Life> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, payload(i)));
    await submitAll(api, queue, items, batches);
    await work(worker, queue, count, batches);
    const life = times(site.consumed(), 1 / count);
    site.reset();
    let age = 0;
    for (const { ageMs } of looks) {
      site.clock.move(ageMs + second - age);
      age = ageMs + second;
      await reconcile(api.context, never);
    }
    return { life, looks: times(site.consumed('registry'), 1 / count) };
  });
}

/** A minute of work: five heartbeats, ten seconds apart. */
export function minuteOfWork(count: number): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    const held = await claimAll(worker, queue, count);
    for (let beat = 0; beat < 5; beat++) {
      site.clock.move(10 * second);
      await beatAll(worker, held);
    }
    site.clock.move(10 * second);
    await settleAll(worker, held, undefined);
    await worker.settled();
    return times(site.consumed(), 1 / count);
  });
}

type Held = Awaited<ReturnType<typeof claimAll>>;

async function beatAll(worker: CostNode, held: Held): Promise<void> {
  const items = held.map(({ lease }) => ({ lease, progress: undefined }));
  for (const answer of await worker.service.heartbeat(items, { tenant: 'default' })) {
    if (answer.verdict !== 'renewed') throw new Error(`a heartbeat was answered ${answer.verdict}`);
  }
  await worker.settled();
}

/** One heartbeat, those of a worker's tasks together. */
export function heartbeat(count: number): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    const held = await claimAll(worker, queue, count);
    site.reset();
    site.clock.move(10 * second);
    await beatAll(worker, held);
    const beaten = times(site.consumed(), 1 / count);
    await settleAll(worker, held, undefined);
    return beaten;
  });
}

/** Each is swept when its time has come; what looking at shards costs while nothing is due belongs to the idle hour. */
async function sweepAll({ context }: CostNode): Promise<void> {
  while (await sweep(context, never)) {
    // There may be more.
  }
}

/** Fails once, waits for its backoff, succeeds. */
export function retried(count: number): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    await work(worker, queue, count, 'full', 'failed');
    site.clock.move(10 * second);
    await sweepAll(api);
    await work(worker, queue, count, 'full');
    return times(site.consumed(), 1 / count);
  });
}

export function delayed(count: number): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const delayMs = 60 * second;
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i), { delayMs }));
    await submitAll(api, queue, items, 'full');
    site.clock.move(delayMs + second);
    await sweepAll(api);
    await work(worker, queue, count, 'full');
    return times(site.consumed(), 1 / count);
  });
}

/** `lanes` lanes with as many tasks each; a batch holds tasks of many, or each call one. */
export function ordered(lanes: number, each: number, batches: Batches): Promise<Units> {
  return onStage(async ({ site, api, worker, queue }) => {
    const count = lanes * each;
    const items = Array.from({ length: count }, (_, i) =>
      itemOf(site.clock, oneKb(i), {}, `lane-${i % lanes}`),
    );
    await submitAll(api, queue, items, batches);
    await work(worker, queue, count, batches);
    return times(site.consumed(), 1 / count);
  });
}
