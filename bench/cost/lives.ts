/**
 * Measures on local stand-ins of DynamoDB and SQS what one task consumes from its submission to its end, for
 * different courses of a task.
 */

import type { QueueRef } from '../../src/core/queue-ref.ts';
import { reconcile } from '../../src/runtime/reconcile.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { passes } from '../../src/service/redrive/reconcile-schedule.ts';
import type { MovingClock } from '../../test/fixtures/moving-clock.ts';
import { type CostNode, type Site, startSite } from './cost-table.ts';
import { itemOf, oneKb, type PayloadOf } from './payloads.ts';
import { times, type Units } from './prices.ts';
import { type Batches, claimAll, settleAll, submitAll, work } from './work.ts';

const never = new AbortController().signal;
const second = 1_000;

interface FreshSite {
  readonly site: Site<MovingClock>;
  readonly api: CostNode;
  readonly worker: CostNode;
  readonly queue: QueueRef;
}

/**
 * Runs `play` on a new table with an API node, a worker node and a queue. The first calls of the nodes (queues,
 * settings, shard counts) are not counted.
 */
export async function onFreshSite<T>(play: (stage: FreshSite) => Promise<T>): Promise<T> {
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

/** The consumption of one task. */
export interface Life {
  /** The consumption of the task from its submission to its end. */
  readonly life: Units;
  /** The consumption of all reconcile passes (searches for lost dispatch messages) that examine the task. */
  readonly reconcilePasses: Units;
}

/**
 * Measures a task that succeeds at its first attempt, and then each reconcile pass (a search for lost
 * dispatch messages) that examines the task.
 */
export function happyLife(payload: PayloadOf, count: number, batches: Batches): Promise<Life> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, payload(i)));
    await submitAll(api, queue, items, batches);
    await work(worker, queue, count, batches);
    const life = times(site.consumed(), 1 / count);
    site.reset();
    let age = 0;
    for (const { ageMs } of passes) {
      site.clock.move(ageMs + second - age);
      age = ageMs + second;
      await reconcile(api.context, never);
    }
    return { life, reconcilePasses: times(site.consumed('registry'), 1 / count) };
  });
}

/** Measures a task whose attempt takes a minute, with five heartbeats ten seconds apart. */
export function minuteOfWork(count: number): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    const held = await claimAll(worker, queue, count);
    for (let i = 0; i < 5; i++) {
      site.clock.move(10 * second);
      await heartbeatAll(worker, held);
    }
    site.clock.move(10 * second);
    await settleAll(worker, held, undefined);
    await worker.settled();
    return times(site.consumed(), 1 / count);
  });
}

type ClaimedTasks = Awaited<ReturnType<typeof claimAll>>;

async function heartbeatAll(worker: CostNode, held: ClaimedTasks): Promise<void> {
  const items = held.map(({ lease }) => ({ lease, begun: true, progress: undefined }));
  for (const answer of await worker.service.heartbeat(items, { tenant: 'default' })) {
    if (answer.verdict !== 'renewed') throw new Error(`a heartbeat was answered ${answer.verdict}`);
  }
  await worker.settled();
}

/** Measures one heartbeat of a running task. The heartbeats of a worker's tasks are sent together. */
export function heartbeat(count: number): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    const held = await claimAll(worker, queue, count);
    site.reset();
    site.clock.move(10 * second);
    await heartbeatAll(worker, held);
    const consumed = times(site.consumed(), 1 / count);
    await settleAll(worker, held, undefined);
    return consumed;
  });
}

/**
 * Runs the sweep, which makes due tasks ready, until no task is due. The cost of sweeps that find nothing due
 * belongs to the cost of an idle hour.
 */
async function sweepAll({ context }: CostNode): Promise<void> {
  while (await sweep(context, never)) {
    // The sweep returned true, so more due entries may exist.
  }
}

/** Measures a task that fails once, waits for its backoff, and then succeeds. */
export function retried(count: number): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i)));
    await submitAll(api, queue, items, 'full');
    await work(worker, queue, count, 'full', 'failed');
    site.clock.move(10 * second);
    await sweepAll(api);
    await work(worker, queue, count, 'full');
    return times(site.consumed(), 1 / count);
  });
}

/** Measures a task with a delay of a minute. */
export function delayed(count: number): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const delayMs = 60 * second;
    const items = Array.from({ length: count }, (_, i) => itemOf(site.clock, oneKb(i), { delayMs }));
    await submitAll(api, queue, items, 'full');
    site.clock.move(delayMs + second);
    await sweepAll(api);
    await work(worker, queue, count, 'full');
    return times(site.consumed(), 1 / count);
  });
}

/**
 * Measures tasks with ordering keys: `each` tasks for each of `lanes` keys. With full batches, a batch has
 * tasks of many ordering keys.
 */
export function ordered(lanes: number, each: number, batches: Batches): Promise<Units> {
  return onFreshSite(async ({ site, api, worker, queue }) => {
    const count = lanes * each;
    const items = Array.from({ length: count }, (_, i) =>
      itemOf(site.clock, oneKb(i), {}, `lane-${i % lanes}`),
    );
    await submitAll(api, queue, items, batches);
    await work(worker, queue, count, batches);
    return times(site.consumed(), 1 / count);
  });
}
