/** The reports of workers that their attempts have begun. This node remembers them; heartbeats store them later. */
import { decodeLease } from '../../core/codec/lease.ts';
import type { BegunAttempt } from '../../core/messages.ts';
import { isFromClaim } from '../../core/task/lease.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { HeldLeases } from '../settle/held-leases.ts';
import type { WorkerReference } from './sessions.ts';

interface WithLeases {
  readonly heldLeases: HeldLeases;
}

/** Returns the secret of an encoded lease, or an empty text if this is no lease. */
function secretOf(lease: Uint8Array): string {
  try {
    return decodeLease(lease).secret;
  } catch {
    return '';
  }
}

/**
 * Records the attempts that a worker names as begun. A task that another worker holds is left as it is, and so is one whose
 * lease the worker does not have.
 */
export function recordBegun(
  { heldLeases }: WithLeases,
  { tenant, worker }: WorkerReference,
  attempts: readonly BegunAttempt[],
): void {
  for (const { id, fencingToken, lease } of attempts) {
    const held = heldLeases.get(id, fencingToken);
    const isHolder =
      held?.snapshot.head.worker === worker &&
      held.snapshot.submission.scope.tenant === tenant &&
      isFromClaim(held.snapshot.head, { fencingToken, secret: secretOf(lease) });
    if (isHolder) held.begun = true;
  }
}

/** Returns the snapshot with the beginning of its attempt, if a worker has reported it to this node. */
export function withReports({ heldLeases }: WithLeases, snapshot: Snapshot): Snapshot {
  const { id, head } = snapshot;
  if (head.state !== 'running' || head.begun) return snapshot;
  const lease = heldLeases.get(id, head.fencingToken);
  return lease?.begun === true ? { ...snapshot, head: { ...head, begun: true } } : snapshot;
}
