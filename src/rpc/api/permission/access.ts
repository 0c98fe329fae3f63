/** Resolves the tenant of a call, and checks whether the caller's identity may use the verb and the queue. */
import { HoldfastError } from '../../../core/errors.ts';
import { defaults } from '../../../core/limits.ts';
import type { ReportContext } from '../../../service/service.ts';
import type { Identity, Verb } from '../api.ts';

function denied(identity: Identity, what: string, help: string): HoldfastError {
  return new HoldfastError('PERMISSION_DENIED', 'DENIED', `'${identity.name}' may not ${what}.`, { help });
}

function grant(identity: Identity, what: string): string {
  return `The operator of the server can grant ${what} to '${identity.name}' in the policy file.`;
}

/**
 * Returns the requested tenant, else the identity's only tenant, else `default`. Throws PERMISSION_DENIED if the
 * identity may not use that tenant.
 */
export function tenantOf(identity: Identity, requested: string): string {
  const { tenants } = identity;
  const tenant =
    requested !== '' ? requested : tenants.length === 1 ? (tenants[0] as string) : defaults.tenant;
  if (tenants.length === 0 || tenants.includes(tenant)) return tenant;
  const help =
    requested === ''
      ? `Name one of its tenants in the request: ${tenants.join(', ')}.`
      : grant(identity, `the tenant '${tenant}'`);
  throw denied(identity, `use the tenant '${tenant}'`, help);
}

export function requireVerb(identity: Identity, verb: Verb): void {
  if (identity.verbs.includes(verb)) return;
  const has = identity.verbs.length === 0 ? 'none' : identity.verbs.join(', ');
  throw denied(identity, `${verb} (its verbs: ${has})`, grant(identity, `the verb '${verb}'`));
}

export function mayUseQueue(identity: Identity, queue: string): boolean {
  return identity.queues.length === 0 || identity.queues.includes(queue);
}

/** Returns an error with PERMISSION_DENIED, or undefined if the identity may use the queue. */
export function queueRefusal(identity: Identity, queue: string): HoldfastError | undefined {
  if (mayUseQueue(identity, queue)) return undefined;
  return denied(identity, `use the queue '${queue}'`, grant(identity, `the queue '${queue}'`));
}

export function requireQueue(identity: Identity, queue: string): void {
  const error = queueRefusal(identity, queue);
  if (error !== undefined) throw error;
}

/**
 * Returns the context with which the service handles a worker's settlements and heartbeats. The context's `refuse`
 * checks the permission for a task's queue; the service calls `refuse` after it has read the task, because a lease does
 * not contain the queue.
 */
export function reporterOf(identity: Identity, requestedTenant: string): ReportContext {
  const tenant = tenantOf(identity, requestedTenant);
  return identity.queues.length === 0
    ? { tenant }
    : { tenant, refuse: (queue) => queueRefusal(identity, queue) };
}
