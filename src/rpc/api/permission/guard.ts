import { notFound } from '../../../service/rejections.ts';
import type { TaskDetails } from '../../../service/service.ts';
import type { CallContext, Identity, Verb } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { ensureInTime } from '../deadline.ts';
import { type Check, ensure } from '../validation/validate.ts';
import { mayUseQueue, requireVerb, tenantOf } from './access.ts';

interface TenantRequest {
  readonly tenant: string;
}

/** Checks the fields, the permission and the deadline of a call, in this order. Returns the tenant of the call. */
export function admit<R extends TenantRequest>(
  deps: ApiDeps,
  check: Check<R>,
  verb: Verb,
  request: R,
  context: CallContext,
): string {
  ensure(check, request, deps.clock.now());
  requireVerb(context.identity, verb);
  const tenant = tenantOf(context.identity, request.tenant);
  ensureInTime(deps.clock, context);
  return tenant;
}

/**
 * Throws NOT_FOUND if the task is in a queue that the identity may not use. The queue is read from the store, because
 * the request names only the task id. PERMISSION_DENIED would reveal that the task exists.
 */
export async function admitTask(
  deps: ApiDeps,
  tenant: string,
  id: string,
  context: CallContext,
): Promise<void> {
  if (context.identity.queues.length === 0) return;
  admitView(await deps.service.get(tenant, id, false), context);
  ensureInTime(deps.clock, context);
}

export function admitView({ snapshot }: TaskDetails, { identity }: CallContext): void {
  admitQueue(snapshot.submission.scope.queue, snapshot.id, identity);
}

/** Throws NOT_FOUND for a task of a queue that the identity may not use, as if the task did not exist. */
export function admitQueue(queue: string, id: string, identity: Identity): void {
  if (!mayUseQueue(identity, queue)) throw notFound(id);
}
