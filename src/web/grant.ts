import type { Client } from '../client/client.ts';
import type { SubmitOptions } from '../client/submit/submit-options.ts';
import type { TaskStatus } from '../client/tasks/status.ts';
import { HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { problem } from './problem.ts';

/** The call that `authorize` decides about. */
export type WebCall =
  | { readonly action: 'submit'; readonly type: string }
  | { readonly action: 'read' | 'watch'; readonly id: string };

/** The queue, the tenant and the owner to which a call is limited. */
export interface Grant {
  /** The tenant of the call. Then `fetchHandler` needs a function that returns the client of a tenant. Default: the client's. */
  readonly tenant?: string | undefined;
  /** The queue of submissions; the caller reads tasks of this queue alone. Default: the task type's, and any queue to read. */
  readonly queue?: string | undefined;
  /**
   * The owner of the tasks, for example a user's id, of at most 58 bytes. The caller reads tasks of this owner alone, and its
   * idempotency keys never meet those of another owner. It is stored as the tag `owner:…`. Default: none, and the caller
   * reads the tasks of all owners.
   */
  readonly owner?: string | undefined;
}

/**
 * Decides about a call: `true` or a `Grant` allows it, `false` refuses it with 403, and a `Response` is sent as it is, for
 * example a 401. An error that it throws is answered with 500.
 */
export type Authorize = (
  request: Request,
  call: WebCall,
) => boolean | Grant | Response | Promise<boolean | Grant | Response>;

/** A client, or a function that returns the client of a tenant; undefined is the tenant of a grant that names none. */
export type ClientOrClients = Client | ((tenant: string | undefined) => Client);

/** Returns the grant, or the answer that refuses the call. Anything but a grant and `true` refuses it. */
export async function grantOf(
  authorize: Authorize,
  request: Request,
  call: WebCall,
): Promise<Grant | Response> {
  const decided: unknown = await authorize(request, call);
  if (decided === true) return {};
  if (decided instanceof Response) return decided;
  if (typeof decided !== 'object' || decided === null)
    return problem(403, 'You may not do this.', { reason: 'DENIED' });
  const grant: Grant = decided;
  if (grant.owner !== undefined) ensureOwner(grant.owner);
  return grant;
}

export function clientOf(clients: ClientOrClients, { tenant }: Grant): Client {
  if (typeof clients === 'function') return clients(tenant);
  if (tenant === undefined) return clients;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', 'authorize() named a tenant.', {
    help: 'Give fetchHandler a function that returns the client of a tenant: connect(url, { tenant }).',
  });
}

/** The options of a submission that a grant decides. */
export function submissionOf(
  { queue, owner }: Grant,
  idempotencyKey: string | undefined,
): Pick<SubmitOptions, 'queue' | 'tags' | 'idempotencyKey'> {
  if (owner === undefined) return { queue, idempotencyKey };
  // An owner without a slash: the owner a and the key b/c are another key than the owner a/b and the key c.
  const key = idempotencyKey === undefined ? undefined : `${encodeURIComponent(owner)}/${idempotencyKey}`;
  return { queue, idempotencyKey: key, tags: [tagOf(owner)] };
}

/** Whether the caller may read the task. */
export function isVisible({ queue, owner }: Grant, task: Pick<TaskStatus, 'queue' | 'tags'>): boolean {
  return (
    (queue === undefined || task.queue === queue) && (owner === undefined || task.tags.includes(tagOf(owner)))
  );
}

const tagOf = (owner: string): string => `owner:${owner}`;

function ensureOwner(owner: unknown): void {
  if (typeof owner === 'string' && owner !== '' && Buffer.byteLength(tagOf(owner)) <= limits.tagBytes) return;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', 'authorize() returned a wrong owner.', {
    help: `Return a text of 1 to ${limits.tagBytes - tagOf('').length} bytes, for example a hash of a longer name.`,
  });
}
