import type { Head } from '../core/head.ts';
import { timing } from '../core/limits.ts';
import type { Snapshot, TaskId } from '../ports/task-store.ts';

/** A lease that this node gave out. A settlement that finds its lease here needs no read. */
export interface HeldLease {
  snapshot: Snapshot;
  readonly handle: string;
  readonly sessionId: string | undefined;
}

export interface HeldLeases {
  put(lease: HeldLease): void;
  get(id: TaskId, token: number): HeldLease | undefined;
  /** The lease's head as it stands now, e.g. with a cancellation asked for. */
  update(id: TaskId, head: Head): void;
  drop(id: TaskId, token: number): void;
  /** Forgets leases that have been spent for a minute: their workers are gone. */
  prune(nowMs: number): void;
  /** Those that a session holds. */
  countOf(sessionId: string): number;
}

/** Memory is bounded by the credits that workers gave. */
export function createHeldLeases(): HeldLeases {
  const held = new Map<TaskId, HeldLease>();
  const forgetAfterMs = timing.clockGuardMs + 60_000;
  return {
    put(lease) {
      held.set(lease.snapshot.id, lease);
    },
    get(id, token) {
      const lease = held.get(id);
      return lease?.snapshot.head.fencingToken === token ? lease : undefined;
    },
    update(id, head) {
      const lease = held.get(id);
      if (lease?.snapshot.head.fencingToken === head.fencingToken)
        lease.snapshot = { ...lease.snapshot, head };
    },
    drop(id, token) {
      if (held.get(id)?.snapshot.head.fencingToken === token) held.delete(id);
    },
    prune(nowMs) {
      for (const [id, lease] of held) {
        if ((lease.snapshot.head.leaseEndAtMs ?? 0) + forgetAfterMs < nowMs) held.delete(id);
      }
    },
    countOf(sessionId) {
      let count = 0;
      for (const lease of held.values()) if (lease.sessionId === sessionId) count++;
      return count;
    },
  };
}
