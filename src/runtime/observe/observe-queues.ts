import { handlesType } from '../../core/handled-type.ts';
import { limits } from '../../core/limits.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { Gauges } from '../../ports/metrics.ts';
import type { ReadyGroup } from '../../ports/task-store.ts';
import { everyWorker } from '../../service/admin/known-workers.ts';
import type { QueueSetting } from '../../service/admin/queue-settings.ts';
import type { ServiceContext } from '../../service/context.ts';
import type { KnownWorkers, WorkerView } from '../../service/service.ts';

/** How many lanes are read that dead tasks hold, of one queue. */
const mostHeldLanes = 10;

/**
 * Reads some queues, one after the other, so that the calls of clients come in between. It reads how many tasks of each state
 * and how many ready tasks of each type a queue has, and how many wait behind dead tasks that hold their lanes.
 */
export async function observeQueues(
  context: ServiceContext,
  gauges: Gauges,
  shown: readonly QueueRef[],
): Promise<void> {
  if (shown.length === 0) return;
  const known = await everyWorker(context);
  const served = new Set(context.queues.all().flatMap(({ queue, paused }) => (paused ? [] : [queue])));
  for (const ref of shown) {
    const setting = context.queues.of(ref);
    // Queues of one name may share their series. A paused one among others has no age: its tasks are old on purpose.
    const hasAge = !setting.paused || !served.has(setting.queue);
    await observeQueue(context, gauges, { setting, hasAge }, known);
  }
}

async function observeQueue(
  context: ServiceContext,
  gauges: Gauges,
  { setting, hasAge }: { readonly setting: QueueSetting; readonly hasAge: boolean },
  known: KnownWorkers,
): Promise<void> {
  const { store, clock } = context;
  const { tenant, queue, paused } = setting;
  const ref = { tenant, queue };
  const { scheduled, ready, running, dead } = await store.counts(ref, clock.now());
  const states = { scheduled, ready, running, dead };
  for (const [state, tasks] of Object.entries(states))
    gauges.set('holdfast.queue.tasks', { ...ref, state }, tasks);
  gauges.set('holdfast.queue.paused', ref, paused ? 1 : 0);
  const groups = ready === 0 ? [] : await store.readyByType(ref, clock.now());
  const since = groups.flatMap(({ readySinceMs }) => readySinceMs ?? []);
  const ageMs = since.length === 0 || !hasAge ? 0 : clock.now() - Math.min(...since);
  gauges.set('holdfast.queue.oldest_ready.age', ref, Math.max(0, ageMs) / 1_000);
  const unserved = { no_worker: 0, no_type: 0, no_version: 0, paused: 0, lane_held: 0 };
  const workers = known.workers.filter((one) => one.tenant === tenant && one.queues.includes(queue));
  for (const group of groups) {
    const cause = paused ? 'paused' : causeOf(group, workers, known.isComplete);
    if (cause !== undefined) unserved[cause] += group.tasks;
  }
  if (setting.onDead === 'hold' && dead > 0) unserved.lane_held = await heldBehind(context, ref);
  for (const [cause, tasks] of Object.entries(unserved))
    gauges.set('holdfast.queue.unserved', { ...ref, cause }, tasks);
}

/** Returns why no worker takes these tasks. An incomplete list of workers cannot show that there is none. */
function causeOf(
  { type, typeVersion }: ReadyGroup,
  workers: readonly WorkerView[],
  isComplete: boolean,
): 'no_worker' | 'no_type' | 'no_version' | undefined {
  if (!isComplete) return undefined;
  if (workers.length === 0) return 'no_worker';
  const handled = workers.flatMap(({ types, maxVersions }) =>
    types.map((name, i) => ({ type: name, maxVersion: maxVersions[i] ?? 1 })),
  );
  if (handlesType(handled, type, typeVersion)) return undefined;
  return handled.some((one) => one.type === type) ? 'no_version' : 'no_type';
}

/** Counts the tasks that wait behind dead tasks in their lanes, as far as a bounded read finds them. */
async function heldBehind({ store, clock }: ServiceContext, queue: QueueRef): Promise<number> {
  const page = { limit: limits.pageItems, cursor: undefined };
  const dead = await store.list({ ...queue, state: 'dead' }, { ...page, nowMs: clock.now() });
  const holders = dead.items.filter(({ head }) => head.holdsLane);
  const lanes = new Set(holders.flatMap(({ submission }) => submission.orderingKey ?? []));
  let tasks = 0;
  for (const orderingKey of [...lanes].slice(0, mostHeldLanes)) {
    const lane = await store.list({ ...queue, orderingKey }, { ...page, nowMs: clock.now() });
    tasks += lane.items.filter(({ head }) => head.state === 'waiting').length;
  }
  return tasks;
}
