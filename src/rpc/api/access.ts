/** Who may do what: the tenant of a call, and whether its identity has the verb and the queue. */
import { HoldfastError } from '../../core/errors.ts';
import { defaults } from '../../core/limits.ts';
import type { ReportContext } from '../../service/service.ts';
import type { Identity, Verb } from './api.ts';

function denied(identity: Identity, what: string, help: string): HoldfastError {
  return new HoldfastError('PERMISSION_DENIED', 'DENIED', `'${identity.name}' may not ${what}.`, { help });
}

function grant(identity: Identity, what: string): string {
  return `Whoever runs the server can grant ${what} to '${identity.name}' in the policy file.`;
}

/** The named tenant, else the identity's only one, else `default`. PERMISSION_DENIED where it is another's. */
export function tenantOf(identity: Identity, asked: string): string {
  const { tenants } = identity;
  const tenant = asked !== '' ? asked : tenants.length === 1 ? (tenants[0] as string) : defaults.tenant;
  if (tenants.length === 0 || tenants.includes(tenant)) return tenant;
  const help =
    asked === ''
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

/** PERMISSION_DENIED, or undefined where it may. */
export function queueRefusal(identity: Identity, queue: string): HoldfastError | undefined {
  if (mayUseQueue(identity, queue)) return undefined;
  return denied(identity, `use the queue '${queue}'`, grant(identity, `the queue '${queue}'`));
}

export function requireQueue(identity: Identity, queue: string): void {
  const refused = queueRefusal(identity, queue);
  if (refused !== undefined) throw refused;
}

/** Who reports, for the service: which queue a lease is of shows only when its task is at hand. */
export function reporterOf(identity: Identity, asked: string): ReportContext {
  const tenant = tenantOf(identity, asked);
  return identity.queues.length === 0
    ? { tenant }
    : { tenant, refuse: (queue) => queueRefusal(identity, queue) };
}
