import { limits } from '../../core/limits.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import type { ServiceContext } from '../context.ts';
import type { KnownWorkers, QueueView, WorkerView } from '../service.ts';
import { everyWorker } from './known-workers.ts';
import type { QueueChange, QueuePause, QueueSetting, StoredSetting } from './queue-settings.ts';

function workersOn(workers: readonly WorkerView[], tenant: string, queue: string | undefined): WorkerView[] {
  return workers.filter(
    (worker) => worker.tenant === tenant && (queue === undefined || worker.queues.includes(queue)),
  );
}

export async function workers(
  context: ServiceContext,
  tenant: string,
  queue: string | undefined,
): Promise<KnownWorkers> {
  const known = await everyWorker(context);
  const all = workersOn(known.workers, tenant, queue);
  // The list of workers is cut at the number of streams that one node may have.
  const listed = all.slice(0, limits.streams);
  return { workers: listed, isComplete: known.isComplete && listed.length === all.length };
}

/** Counts a queue's tasks. The store counts every task with a lease as running, this node knows which are reserved. */
async function countsOf(context: ServiceContext, queue: QueueRef): Promise<NonNullable<QueueView['counts']>> {
  const counts = await context.store.counts(queue, context.clock.now());
  let reserved = 0;
  for (const session of context.sessions.all()) reserved += session.reserved.list(queue).length;
  reserved = Math.min(reserved, counts.running);
  return { ...counts, running: counts.running - reserved, reserved };
}

async function viewOf(
  context: ServiceContext,
  setting: QueueSetting,
  { workers: all }: KnownWorkers,
): Promise<QueueView> {
  const mine = workersOn(all, setting.tenant, setting.queue);
  return {
    ...setting,
    workers: mine.reduce((sum, { unlistedCount }) => sum + (unlistedCount || 1), 0),
    counts: await countsOf(context, setting),
  };
}

/** Returns the queues of a tenant; with `withoutCounts` without a read of their tasks and of the workers. */
export async function queues(
  context: ServiceContext,
  tenant: string,
  { withoutCounts = false }: { readonly withoutCounts?: boolean } = {},
): Promise<readonly QueueView[]> {
  if (withoutCounts) return context.queues.ofTenant(tenant).map((setting) => ({ ...setting, workers: 0 }));
  const known = await everyWorker(context);
  return Promise.all(context.queues.ofTenant(tenant).map((setting) => viewOf(context, setting, known)));
}

export async function queue(context: ServiceContext, ref: QueueRef): Promise<QueueView> {
  if (!context.queues.has(ref)) await context.queues.refresh();
  if (!context.queues.has(ref)) throw context.queues.unknownQueue(ref);
  return viewOf(context, context.queues.of(ref), await everyWorker(context));
}

/**
 * Returns the pause of a queue that is paused now. A pause of a paused queue changes nothing, unless it has a reason or an
 * end: these then replace both.
 */
function pauseChange(
  before: StoredSetting,
  nowMs: number,
  { actor, reason, untilMs }: Pick<QueuePause, 'actor' | 'reason' | 'untilMs'>,
): Partial<StoredSetting> {
  const replaces = Boolean(reason || untilMs);
  if (before.paused && !replaces) return { paused: true };
  const sinceMs = (before.paused && before.pause?.sinceMs) || nowMs;
  const pause = { sinceMs, actor, ...(reason && { reason }), ...(untilMs && { untilMs }) };
  return { paused: true, pause };
}

/**
 * Changes a queue's configuration. `onDead: release` also orders the lanes to be freed that dead tasks of the queue hold, even
 * if the queue had that setting before: `release-lanes.ts` of the runtime does it.
 *
 * @throws HoldfastError QUEUE_UNKNOWN if the queue does not exist, unless `create` is true and this node may create queues.
 */
export async function updateQueue(
  context: ServiceContext,
  ref: QueueRef,
  { paused, reason, untilMs, onDead, create = false }: QueueChange,
  actor: string,
): Promise<QueueView> {
  const nowMs = context.clock.now();
  const change = (before: StoredSetting): Partial<StoredSetting> => ({
    ...(paused === true && pauseChange(before, nowMs, { actor, reason, untilMs })),
    ...(paused === false && { paused, pause: undefined }),
    ...(onDead !== undefined && { onDead }),
    ...(onDead === 'release' && { laneRelease: { sinceMs: nowMs, actor } }),
    ...(onDead === 'hold' && { laneRelease: undefined }),
  });
  const setting = await context.queues.update(ref, change, create);
  context.log.info(
    { queue: ref.queue, tenant: ref.tenant, actor, paused, reason, onDead },
    'queue configuration changed',
  );
  return viewOf(context, setting, await everyWorker(context));
}

/**
 * Resumes the queues whose pauses have ended by their time, of those that this node looks after. The write is
 * conditional: a pause that an operator has changed meanwhile stays.
 */
export async function resumeEndedPauses(
  { queues, clock, log }: ServiceContext,
  isMine: (queue: QueueRef) => boolean = () => true,
): Promise<void> {
  const isOver = ({ paused, pause }: StoredSetting): boolean =>
    paused && pause?.untilMs !== undefined && pause.untilMs <= clock.now();
  for (const setting of queues.all().filter((one) => isOver(one) && isMine(one))) {
    const { tenant, queue } = setting;
    const { paused } = await queues.update(setting, (before) =>
      isOver(before) ? { paused: false, pause: undefined } : {},
    );
    if (!paused) log.info({ queue, tenant }, 'the pause of the queue is over');
  }
}
