/** Gives tasks back to their queues whose worker was cut off before it called their handlers. */
import { encodeLease } from '../../core/codec/lease.ts';
import type { Settlement } from '../../core/messages.ts';
import type { TaskId } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import type { HeldLease } from '../settle/held-leases.ts';
import { settle } from '../settle/settle.ts';

/**
 * The time after the cut of a worker's stream, in ms, in which the worker may come back and name the attempts that it
 * has begun. Its other tasks are then released, long before their leases expire.
 */
export const cutGraceMs = 2_000;

function releaseOf(lease: HeldLease): Settlement {
  const { id, head } = lease.snapshot;
  const { fencingToken, version, timeoutAtMs = 0 } = head;
  return {
    lease: encodeLease({ id, fencingToken, version, timeoutAtMs, receiptHandle: lease.receiptHandle }),
    outcome: 'released',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
}

/**
 * Releases tasks whose handlers were not called, as far as this node knows: a cut may have lost the report of a worker,
 * whose heartbeat was recorded all the same. `countsAsRelease` is true if the assignments never reached the worker:
 * after many such releases further ones back off.
 */
async function releaseReserved(
  context: ServiceContext,
  leases: readonly HeldLease[],
  countsAsRelease: boolean,
): Promise<void> {
  const byTenant = Map.groupBy(leases, ({ snapshot }) => snapshot.submission.scope.tenant);
  for (const [tenant, group] of byTenant)
    await settle(
      context,
      group.map(releaseOf),
      { tenant, sessionId: undefined },
      { countsAsRelease, onlyIfNotBegun: true },
    );
}

/**
 * Releases the reserved tasks of a cut stream once `cutGraceMs` has passed, except those that have begun or ended by
 * then: a worker that comes back names the attempts that it has begun, and releases the other tasks itself.
 */
export function releaseAfterCut(
  context: ServiceContext,
  leases: readonly HeldLease[],
  unacknowledged: ReadonlySet<TaskId>,
): void {
  if (leases.length === 0) return;
  context.clock.after(cutGraceMs, () => {
    const left = leases.filter((lease) => {
      const { id, head } = lease.snapshot;
      return !lease.begun && context.heldLeases.get(id, head.fencingToken) === lease;
    });
    const isReceived = ({ snapshot }: HeldLease): boolean => !unacknowledged.has(snapshot.id);
    context.background('release', releaseReserved(context, left.filter(isReceived), false));
    const lost = left.filter((lease) => !isReceived(lease));
    context.background('release', releaseReserved(context, lost, true));
  });
}
