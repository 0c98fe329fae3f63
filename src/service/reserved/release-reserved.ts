/** Returns to their queues the tasks of a worker that was cut off, or has ended, before it called their handlers. */
import { timing } from '../../core/limits.ts';
import { runsAlone } from '../../core/task/head.ts';
import type { TaskId } from '../../ports/task-store.ts';
import { commitCommand, syncDelivery } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import type { HeldLease } from '../settle/held-leases.ts';

/**
 * The time after the cut of a worker's stream, in ms, in which the worker may come back and name the attempts that it
 * has begun. Its other tasks are then released, long before their leases expire.
 */
export const cutGraceMs = 2_000;

/**
 * Returns the time after the end of a drained stream, in ms, at which a worker that lives has begun the tasks that it
 * kept, or has given them back. The worker may use another node, which stores a beginning with the first heartbeat only.
 */
export function keptGraceMs({ store }: Pick<ServiceContext, 'store'>): number {
  return (store.can.sharedWriters ? timing.heartbeatMs : timing.prefetchStartMs) + cutGraceMs;
}

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
 * Releases the reserved tasks of a cut stream once `afterMs` has passed, except those that have begun or ended by
 * then: a worker that comes back names the attempts that it has begun, and releases the other tasks itself. The releases
 * of `unacknowledged` assignments count towards the limit after which releases back off.
 */
function releaseAfterCut(
  context: ServiceContext,
  leases: readonly HeldLease[],
  unacknowledged: ReadonlySet<TaskId>,
  afterMs: number = cutGraceMs,
): void {
  if (leases.length === 0) return;
  context.clock.after(afterMs, () => release(context, leases, unacknowledged));
}

/**
 * Does the same, and releases unacknowledged assignments as soon as this node
 * stops: their worker knows nothing of them. A task that may begin only once is left to its lease, since its worker may have
 * begun it while the cut lost the report.
 */
export function releaseAfterSuddenCut(
  context: ServiceContext,
  leases: readonly HeldLease[],
  unacknowledged: ReadonlySet<TaskId>,
): void {
  const lost = leases.filter(
    ({ snapshot: { id, submission } }) => unacknowledged.has(id) && submission.options.retry.maxAttempts > 1,
  );
  if (lost.length > 0) {
    const forget = context.cutReleases.beforeStop(() => release(context, lost, unacknowledged));
    context.clock.after(cutGraceMs, forget);
  }
  releaseAfterCut(context, leases, unacknowledged);
}

function release(
  context: ServiceContext,
  leases: readonly HeldLease[],
  unacknowledged: ReadonlySet<TaskId>,
): void {
  const left = leases.filter((lease) => isReserved(context, lease));
  const released = left.map((lease) => unassign(context, lease, unacknowledged.has(lease.snapshot.id)));
  context.background('release', Promise.all(released));
}

/**
 * Releases the tasks of a drained stream that its worker would have begun or given back by now if it lived. A task that
 * must run alone is left to its lease, because a worker may keep it for 60 s and renews the lease meanwhile.
 */
export function releaseAfterDrain(context: ServiceContext, leases: readonly HeldLease[]): void {
  const ordinary = leases.filter(({ snapshot }) => !runsAlone(snapshot.head));
  releaseAfterCut(context, ordinary, new Set(), keptGraceMs(context));
}
