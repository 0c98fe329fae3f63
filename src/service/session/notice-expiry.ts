import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';

/**
 * Records that the lease that the task had in this snapshot has expired. If this node notices it for the first time, the
 * worker's stream gets no task until the worker sends a message on it. Returns the session of the stream then, otherwise
 * undefined.
 */
export function noticeExpiry(
  { heldLeases, sessions }: Pick<ServiceContext, 'heldLeases' | 'sessions'>,
  { id, head }: Pick<Snapshot, 'id' | 'head'>,
): string | undefined {
  const held = head.state === 'running' ? heldLeases.get(id, head.fencingToken) : undefined;
  if (held?.sessionId === undefined || held.hasExpired) return undefined;
  held.hasExpired = true;
  const session = sessions.ofLease(held);
  session?.leaseLost();
  return session?.id;
}
