/** The reports of workers that their attempts have begun. This node remembers them; heartbeats store them later. */
import type { AttemptReference } from '../../core/messages.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { HeldLeases } from '../settle/held-leases.ts';
import type { WorkerReference } from './sessions.ts';

interface WithLeases {
  readonly heldLeases: HeldLeases;
}

/** Records the attempts that a worker names as begun. A task that another worker holds is left as it is. */
export function recordBegun(
  { heldLeases }: WithLeases,
  { tenant, worker }: WorkerReference,
  attempts: readonly AttemptReference[],
): void {
  for (const { id, fencingToken } of attempts) {
    const lease = heldLeases.get(id, fencingToken);
    const isHolder =
      lease?.snapshot.head.worker === worker && lease.snapshot.submission.scope.tenant === tenant;
    if (isHolder) lease.begun = true;
  }
}

/** Returns the snapshot with the beginning of its attempt, if a worker has reported it to this node. */
export function withReports({ heldLeases }: WithLeases, snapshot: Snapshot): Snapshot {
  const { id, head } = snapshot;
  if (head.state !== 'running' || head.begun) return snapshot;
  const lease = heldLeases.get(id, head.fencingToken);
  return lease?.begun === true ? { ...snapshot, head: { ...head, begun: true } } : snapshot;
}
