import { limits, timing } from '../../core/limits.ts';
import type { Head } from '../../core/task/head.ts';
import type { Snapshot, TaskId } from '../../ports/task-store.ts';

/** A lease that this node gave out. A settlement of such a lease needs no read of its task. */
export interface HeldLease {
  snapshot: Snapshot;
  readonly receiptHandle: string;
  readonly sessionId: string | undefined;
}

export interface HeldLeases {
  put(lease: HeldLease): void;
  get(id: TaskId, fencingToken: number): HeldLease | undefined;
  /** Replaces the head of a held lease with the current one, for example after a cancellation was requested. */
  update(id: TaskId, head: Head): void;
  drop(id: TaskId, fencingToken: number): void;
  /** Forgets leases that expired more than a minute ago, because their workers are gone. */
  prune(nowMs: number): void;
  /** Returns the number of leases of each session that holds any. */
  counts(): ReadonlyMap<string, number>;
}

/** The estimated memory of a lease in bytes, without its payload. */
const leaseBytes = 1_024;

function bytesOf({ snapshot, receiptHandle }: HeldLease): number {
  return snapshot.submission.spec.length + receiptHandle.length + leaseBytes;
}

/**
 * Creates the collection of the leases that this node gave out. Workers' credits limit the leases of sessions. Leases that
 * were claimed by single calls, which have no credits, are limited to `limits.heldCallBytes`.
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
    drop(id, fencingToken) {
      const lease = find(id, fencingToken);
      if (lease !== undefined) remove(lease);
    },
    prune(nowMs) {
      for (const lease of held.values()) {
        if ((lease.snapshot.head.leaseEndAtMs ?? 0) + forgetAfterMs < nowMs) remove(lease);
      }
    },
    counts() {
      const counts = new Map<string, number>();
      for (const { sessionId } of held.values()) {
        if (sessionId !== undefined) counts.set(sessionId, (counts.get(sessionId) ?? 0) + 1);
      }
      return counts;
    },
  };
}
