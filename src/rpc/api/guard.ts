import { notFound } from '../../service/rejections.ts';
import type { TaskView } from '../../service/service.ts';
import { mayUseQueue, requireVerb, tenantOf } from './access.ts';
import type { CallContext, Identity, Verb } from './api.ts';
import { ensureInTime } from './deadline.ts';
import type { Parts } from './parts.ts';
import { type Check, ensure } from './validation/validate.ts';

interface OfTenant {
  readonly tenant: string;
}

/** Fields, then permission, then time; the answer is the tenant. What does this before every call. */
export function admit<R extends OfTenant>(
  parts: Parts,
  check: Check<R>,
  verb: Verb,
  request: R,
  context: CallContext,
): string {
  ensure(check, request, parts.clock.now());
  requireVerb(context.identity, verb);
  const tenant = tenantOf(context.identity, request.tenant);
  ensureInTime(parts.clock, context);
  return tenant;
}

/**
 * For identities that are held to certain queues: a task is named by its id, so which queue it is in must be read
 * before it is shown or changed. One of another queue is not found, as if there were none: DENIED would tell that it is
 * there.
 */
export async function admitTask(
  parts: Parts,
  tenant: string,
  id: string,
  context: CallContext,
): Promise<void> {
  if (context.identity.queues.length === 0) return;
  admitView(await parts.service.get(tenant, id, false), context);
  ensureInTime(parts.clock, context);
}

export function admitView({ snapshot }: TaskView, { identity }: CallContext): void {
  admitQueue(snapshot.submission.scope.queue, snapshot.id, identity);
}

/** A task of that queue, as far as the identity may know of it. */
export function admitQueue(queue: string, id: string, identity: Identity): void {
  if (!mayUseQueue(identity, queue)) throw notFound(id);
}
