/** Returns to their queues the tasks of a worker that was cut off before it called their handlers. */
import type { TaskId } from '../../ports/task-store.ts';
import { commitCommand, syncDelivery } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import type { HeldLease } from '../settle/held-leases.ts';

/**
 * The time after the cut of a worker's stream, in ms, in which the worker may come back and name the attempts that it
 * has begun. Its other tasks are then released, long before their leases expire.
 */
export const cutGraceMs = 2_000;

function isReserved({ heldLeases }: ServiceContext, lease: HeldLease): boolean {
  const { id, head } = lease.snapshot;
  return !lease.begun && heldLeases.get(id, head.fencingToken) === lease;
}

/**
 * Takes one task back, unless its handler was called meanwhile: the write names the revision that this node knows, so
 * that a heartbeat through another node, which recorded the beginning, makes it read the task again.
 */
async function unassign(context: ServiceContext, lease: HeldLease, countsAsRelease: boolean): Promise<void> {
  const { snapshot, receiptHandle } = lease;
  const { fencingToken } = snapshot.head;
  const done = await commitCommand(context, snapshot, { kind: 'unassign', fencingToken, countsAsRelease });
  if (done.kind === 'notFound') return;
  const isOver = done.kind === 'done' || done.rejection.why === 'leaseLost';
  if (isOver) context.heldLeases.drop(snapshot.id, fencingToken);
  if (done.kind === 'done') await syncDelivery(context, receiptHandle, done.snapshot);
}

/**
 * Releases the reserved tasks of a cut stream once `cutGraceMs` has passed, except those that have begun or ended by
 * then: a worker that comes back names the attempts that it has begun, and releases the other tasks itself. The releases
 * of `unacknowledged` assignments count towards the limit after which releases back off.
 */
export function releaseAfterCut(
  context: ServiceContext,
  leases: readonly HeldLease[],
  unacknowledged: ReadonlySet<TaskId>,
): void {
  if (leases.length === 0) return;
  context.clock.after(cutGraceMs, () => {
    const left = leases.filter((lease) => isReserved(context, lease));
    const released = left.map((lease) => unassign(context, lease, unacknowledged.has(lease.snapshot.id)));
    context.background('release', Promise.all(released));
  });
}
