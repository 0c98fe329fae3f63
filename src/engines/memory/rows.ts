import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { Scope, Submission } from '../../core/submission/submission.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import type { Head } from '../../core/task/head.ts';
import type { LaneKey, Snapshot, TaskId } from '../../ports/task-store.ts';

/**
 * The stored state of a task. The objects in its fields are replaced and never modified, so that snapshots of the task
 * may share them.
 */
export interface Row {
  readonly id: TaskId;
  /** The sequence number of the task among all accepted tasks, from 1. */
  readonly order: number;
  readonly submission: Submission;
  laneSeq: number | undefined;
  head: Head;
  tip: readonly TaskEvent[];
  result: Uint8Array | undefined;
}

export function snapshotOf(row: Row): Snapshot {
  const { id, submission, laneSeq, head, tip } = row;
  return { id, submission, laneSeq, head, tip };
}

export function laneOf(submission: Submission): LaneKey | undefined {
  const { scope, orderingKey } = submission;
  return orderingKey === undefined ? undefined : { tenant: scope.tenant, queue: scope.queue, orderingKey };
}

/**
 * Returns a name for a scope (tenant, queue and idempotency key). The name includes the lengths of the tenant and the
 * queue, so that no two scopes share a name.
 */
function scopeName({ tenant, queue, key }: Scope): string {
  return `${tenant.length}:${tenant}${queue.length}:${queue}${key}`;
}

export function isExpired(row: Row, nowMs: number): boolean {
  return nowMs >= row.submission.expiresAtMs;
}

function isBefore(a: Row, b: Row): boolean {
  const byTime = a.submission.acceptedAtMs - b.submission.acceptedAtMs;
  return byTime < 0 || (byTime === 0 && a.order < b.order);
}

/**
 * Holds all tasks, indexed by id, by idempotency key (only the newest task of each key), and by queue in the order of
 * acceptance.
 */
export class Rows {
  readonly #byId = new Map<TaskId, Row>();
  readonly #newest = new Map<string, Row>();
  readonly #byQueue = new Map<string, Row[]>();
  /** No stored task expires (is deleted after its retention) before this time. */
  #earliestExpiryMs = Number.POSITIVE_INFINITY;

  get(id: TaskId): Row | undefined {
    return this.#byId.get(id);
  }

  newest(scope: Scope): Row | undefined {
    return this.#newest.get(scopeName(scope));
  }

  /** Returns the tasks of a queue, oldest first. */
  queue(ref: QueueRef): readonly Row[] {
    return this.#byQueue.get(queueKey(ref)) ?? [];
  }

  add(row: Row): void {
    const { scope, expiresAtMs } = row.submission;
    this.#byId.set(row.id, row);
    this.#newest.set(scopeName(scope), row);
    this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    const name = queueKey(scope);
    const rows = this.#byQueue.get(name);
    if (rows === undefined) {
      this.#byQueue.set(name, [row]);
      return;
    }
    // A new task nearly always has the latest acceptance time of its queue. Only after the clock went back may other
    // tasks have a later one.
    let at = rows.length;
    for (let before = rows[at - 1]; before !== undefined && isBefore(row, before); before = rows[at - 1])
      at--;
    rows.splice(at, 0, row);
  }

  /** Removes at most `limit` expired tasks and returns them. */
  takeExpired(nowMs: number, limit: number): Row[] {
    const taken: Row[] = [];
    if (nowMs < this.#earliestExpiryMs) return taken;
    let earliest = Number.POSITIVE_INFINITY;
    for (const row of this.#byId.values()) {
      if (taken.length < limit && isExpired(row, nowMs)) taken.push(row);
      else earliest = Math.min(earliest, row.submission.expiresAtMs);
    }
    this.#earliestExpiryMs = earliest;
    for (const row of taken) this.#remove(row);
    return taken;
  }

  #remove(row: Row): void {
    const { scope } = row.submission;
    this.#byId.delete(row.id);
    if (this.newest(scope) === row) this.#newest.delete(scopeName(scope));
    const name = queueKey(scope);
    const rows = this.#byQueue.get(name) ?? [];
    const at = rows.indexOf(row);
    if (at >= 0) rows.splice(at, 1);
    if (rows.length === 0) this.#byQueue.delete(name);
  }
}
