import type { QueueRef } from '../ports/task-store.ts';
import type { ServiceContext } from './context.ts';
import type { QueueSetting } from './queue-settings.ts';
import type { QueueView, WorkerView } from './service.ts';

export function workers(
  context: ServiceContext,
  tenant: string,
  queue: string | undefined,
): readonly WorkerView[] {
  return [...context.sessions.all()]
    .map((session) => session.view())
    .filter((worker) => worker.tenant === tenant && (queue === undefined || worker.queues.includes(queue)));
}

async function viewOf(context: ServiceContext, setting: QueueSetting): Promise<QueueView> {
  return {
    ...setting,
    workers: workers(context, setting.tenant, setting.queue).length,
    counts: await context.store.counts(setting, context.clock.now()),
  };
}

export async function queues(context: ServiceContext, tenant: string): Promise<readonly QueueView[]> {
  return Promise.all(context.queues.ofTenant(tenant).map((setting) => viewOf(context, setting)));
}

export async function queue(context: ServiceContext, ref: QueueRef): Promise<QueueView> {
  if (!context.queues.has(ref)) await context.queues.refresh();
  if (!context.queues.has(ref)) throw context.queues.unknown(ref);
  return viewOf(context, context.queues.of(ref));
}

export async function updateQueue(
  context: ServiceContext,
  ref: QueueRef,
  change: { readonly paused?: boolean; readonly onDead?: 'release' | 'hold' },
  actor: string,
): Promise<QueueView> {
  const setting = await context.queues.update(ref, change);
  context.log.info({ queue: ref.queue, tenant: ref.tenant, actor, ...change }, 'queue configuration changed');
  return viewOf(context, setting);
}
