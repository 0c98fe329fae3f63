/**
 * Workers that send nothing although their streams are open: their thread is blocked, their machine lost its power, or
 * the network loses all packets. The loss of a lease is the first sign of it.
 */
import { mayExpireAtMs } from '../../core/task/decision.ts';
import type { Delivery } from '../../ports/broker.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { factsOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { knowledgeOf } from '../settle/held-leases.ts';

/**
 * If the task's lease has expired and its worker has a session on this node, marks the session as silent, so that it is
 * given no tasks until it sends a message, and returns its id. Otherwise returns undefined, also if the worker reported
 * in time and only the store could not record it. Each lease marks its session once: a worker that is back may have the
 * task again.
 */
export function markSilent(context: ServiceContext, snapshot: Snapshot): string | undefined {
  const { id, head } = snapshot;
  if (head.state !== 'running') return undefined;
  if (context.clock.now() < mayExpireAtMs(head, factsOf(context, snapshot))) return undefined;
  if (knowledgeOf(context, snapshot)?.reportedInTime !== false) return undefined;
  const held = context.heldLeases.get(id, head.fencingToken);
  if (held?.sessionId === undefined || held.hasExpired) return undefined;
  held.hasExpired = true;
  const session = context.sessions.get(held.sessionId);
  session?.silent('a lease of a worker has expired although its stream is open');
  return session?.id;
}

/** Makes a delivery visible to other workers at once. */
export async function leaveToOthers(context: ServiceContext, { receiptHandle }: Delivery): Promise<void> {
  await context.broker.changeVisibility([{ receiptHandle, ms: 0 }]);
}
