import { limits } from '../../core/limits.ts';
import { formatDuration, type Rule, requireValid } from '../../core/rules.ts';
import type { QueueChange } from '../../service/admin/queue-settings.ts';
import type { AdminService } from '../gen/holdfast/v1/admin_service_pb.ts';
import type { CallContext } from './api.ts';
import type { ApiDeps } from './api-deps.ts';
import type { MethodHandlers } from './method-handlers.ts';
import { mayUseQueue, requireQueue } from './permission/access.ts';
import { admit } from './permission/guard.ts';
import * as requests from './validation/requests.ts';
import { onDeadNumbers, wordOf } from './wire/enums.ts';
import { queueToWire, workerToWire } from './wire/to-wire.ts';

/** The time at which a pause ends by itself: 0 for never, or a time to come. */
function endOfPause(nowMs: number): Rule<number> {
  return (untilMs) => {
    if (untilMs === 0 || (untilMs > nowMs && untilMs <= nowMs + limits.runAheadMs)) return undefined;
    const when = new Date(untilMs);
    const text = Number.isNaN(when.getTime()) ? `${untilMs} ms` : when.toISOString();
    return `is ${text}; a time to come, at most ${formatDuration(limits.runAheadMs)} ahead`;
  };
}

export function adminHandlers(deps: ApiDeps): MethodHandlers<typeof AdminService> {
  const { service } = deps;

  async function change(
    tenant: string,
    { name: queue, create }: { readonly name: string; readonly create: boolean },
    change: QueueChange,
    { identity }: CallContext,
  ) {
    requireQueue(identity, queue);
    const view = await service.updateQueue({ tenant, queue }, { ...change, create }, identity.name);
    return { queue: queueToWire(view) };
  }

  return {
    async listQueues(request, context) {
      const tenant = admit(deps, requests.listQueues, 'read', request, context);
      const queues = await service.queues(tenant, { withoutCounts: request.withoutCounts });
      return {
        queues: queues.filter(({ queue }) => mayUseQueue(context.identity, queue)).map(queueToWire),
      };
    },
    async getQueue(request, context) {
      const tenant = admit(deps, requests.getQueue, 'read', request, context);
      requireQueue(context.identity, request.name);
      return { queue: queueToWire(await service.queue({ tenant, queue: request.name })) };
    },
    async updateQueue(request, context) {
      const tenant = admit(deps, requests.updateQueue, 'admin', request, context);
      return change(tenant, request, { onDead: wordOf(onDeadNumbers, request.onDead) }, context);
    },
    async pauseQueue(request, context) {
      const tenant = admit(deps, requests.pauseQueue, 'admin', request, context);
      const { reason, untilMs } = request;
      requireValid('until_ms', endOfPause(deps.clock.now()), Number(untilMs));
      return change(tenant, request, { paused: true, reason, untilMs: Number(untilMs) }, context);
    },
    async resumeQueue(request, context) {
      const tenant = admit(deps, requests.resumeQueue, 'admin', request, context);
      return change(tenant, request, { paused: false }, context);
    },
    async listWorkers(request, context) {
      const tenant = admit(deps, requests.listWorkers, 'read', request, context);
      const { identity } = context;
      if (request.queue !== '') requireQueue(identity, request.queue);
      const { workers, isComplete } = await service.workers(tenant, request.queue || undefined);
      const shown = workers
        .map((worker) => ({
          ...worker,
          queues: worker.queues.filter((queue) => mayUseQueue(identity, queue)),
        }))
        .filter(({ queues }) => queues.length > 0);
      return { workers: shown.map(workerToWire), incomplete: !isComplete };
    },
  };
}
