import { limits, timing } from '../../core/limits.ts';
import type { LeaseKnowledge } from '../../core/task/command.ts';
import type { Head } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Snapshot, TaskId } from '../../ports/task-store.ts';

/**
 * A lease that this node gave to a worker, kept in memory with the task's snapshot. A settlement under such a lease needs
 * no read of the task.
 */
export interface HeldLease {
  snapshot: Snapshot;
  readonly receiptHandle: string;
  readonly sessionId: string | undefined;
  /** True if the worker has called its handler, as far as this node knows. */
  begun: boolean;
  /**
   * When the last heartbeat for this lease arrived, in ms since the epoch, even if the store refused to write it.
   * Undefined before the first heartbeat.
   */
  lastReportAtMs?: number | undefined;
  /** True once this node has noticed that the lease has expired. */
  hasExpired?: boolean | undefined;
}

export interface HeldLeases {
  put(lease: HeldLease): void;
  get(id: TaskId, fencingToken: number): HeldLease | undefined;
  /** Replaces the task's head in a held lease with the current head, for example after a cancellation was requested. */
  update(id: TaskId, head: Head): void;
  /** Records that a heartbeat for a held lease arrived, whether or not the store can write it. */
  reported(id: TaskId, fencingToken: number, nowMs: number): void;
  drop(id: TaskId, fencingToken: number): void;
  /** Forgets leases that expired more than a minute ago, because their workers are gone. */
  prune(nowMs: number): void;
  /**
   * Returns the number of held leases of each worker session that holds at least one, by session id. `sessionOf` returns
   * the id of the session to which a lease counts, or undefined if it counts to none.
   */
  counts(sessionOf: (lease: HeldLease) => string | undefined): ReadonlyMap<string, number>;
}

/** The estimated memory of one held lease in bytes, without the task's payload and the receipt handle. */
const leaseBytes = 1_024;

function bytesOf({ snapshot, receiptHandle }: HeldLease): number {
  return snapshot.submission.spec.length + receiptHandle.length + leaseBytes;
}

/**
 * Creates the collection of the leases that this node gave to workers. The leases of sessions are limited by the workers'
 * credits. The leases of single claim calls, which have no credits, are limited to `limits.heldCallBytes` of memory.
 */
export function createHeldLeases(): HeldLeases {
  const held = new Map<TaskId, HeldLease>();
  /** The leases that belong to no session, oldest first. */
  const byCalls = new Set<HeldLease>();
  let bytes = 0;
  const forgetAfterMs = timing.clockGuardMs + 60_000;

  function remove(lease: HeldLease): void {
    held.delete(lease.snapshot.id);
    if (byCalls.delete(lease)) bytes -= bytesOf(lease);
  }

  function find(id: TaskId, fencingToken: number): HeldLease | undefined {
    const lease = held.get(id);
    return lease?.snapshot.head.fencingToken === fencingToken ? lease : undefined;
  }

  return {
    put(lease) {
      const before = held.get(lease.snapshot.id);
      if (before !== undefined) remove(before);
      held.set(lease.snapshot.id, lease);
      if (lease.sessionId !== undefined) return;
      byCalls.add(lease);
      bytes += bytesOf(lease);
      for (const oldest of byCalls) {
        if (bytes <= limits.heldCallBytes) break;
        remove(oldest);
      }
    },
    get: find,
    update(id, head) {
      const lease = find(id, head.fencingToken);
      if (lease !== undefined) lease.snapshot = { ...lease.snapshot, head };
    },
    reported(id, fencingToken, nowMs) {
      const lease = find(id, fencingToken);
      if (lease !== undefined) lease.lastReportAtMs = nowMs;
    },
    drop(id, fencingToken) {
      const lease = find(id, fencingToken);
      if (lease !== undefined) remove(lease);
    },
    prune(nowMs) {
      for (const lease of held.values()) {
        if ((lease.snapshot.head.leaseEndAtMs ?? 0) + forgetAfterMs < nowMs) remove(lease);
      }
    },
    counts(sessionOf) {
      const counts = new Map<string, number>();
      for (const lease of held.values()) {
        const sessionId = sessionOf(lease);
        if (sessionId !== undefined) counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
      }
      return counts;
    },
  };
}

/**
 * Returns what this node knows about the lease that the task had in this snapshot, if the node gave it out. The worker
 * reported in time if a heartbeat that arrived would have kept the lease until now, had the store recorded it.
 */
export function knowledgeOf(
  { heldLeases, clock }: { readonly heldLeases: HeldLeases; readonly clock: Clock },
  { id, head }: Pick<Snapshot, 'id' | 'head'>,
): LeaseKnowledge | undefined {
  if (head.state !== 'running') return undefined;
  const held = heldLeases.get(id, head.fencingToken);
  if (held === undefined) return undefined;
  const { begun, lastReportAtMs = Number.NEGATIVE_INFINITY } = held;
  const reportedInTime = clock.now() < lastReportAtMs + timing.leaseMs + timing.clockGuardMs;
  return { begun, reportedInTime };
}
