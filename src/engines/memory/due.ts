import type { DueEntry, DuePage, TaskId } from '../../ports/task-store.ts';

/** The task and the queue of a due entry. */
type DueTask = Omit<DueEntry, 'dueAtMs'>;

interface PendingUpdate {
  readonly visibleAtMs: number;
  readonly task: DueTask;
  readonly dueAtMs: number | undefined;
}

function shardOf(id: TaskId, shards: number): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0;
  return hash % shards;
}

function order(a: DueEntry, b: DueEntry): number {
  if (a.dueAtMs !== b.dueAtMs) return a.dueAtMs - b.dueAtMs;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}

/**
 * The due index: one entry for each task that must be acted on at a certain time, spread over shards. The index may lag
 * behind the current states of the tasks.
 */
export class DueIndex {
  readonly #shards: Map<TaskId, DueEntry>[];
  readonly #pending: PendingUpdate[] = [];

  constructor(shards: number) {
    this.#shards = Array.from({ length: shards }, () => new Map());
  }

  set(task: DueTask, dueAtMs: number | undefined, nowMs: number, lagMs: number): void {
    if (lagMs === 0 && this.#pending.length === 0) {
      this.#apply(task, dueAtMs);
      return;
    }
    // A later update of the due index never becomes visible before an earlier one.
    const visibleAtMs = Math.max(this.#pending.at(-1)?.visibleAtMs ?? 0, nowMs + lagMs);
    this.#pending.push({ task, dueAtMs, visibleAtMs });
  }

  at(shard: number, nowMs: number, limit: number, after?: DueEntry): DuePage {
    this.#catchUp(nowMs);
    const due: DueEntry[] = [];
    for (const entry of this.#shards[shard]?.values() ?? []) {
      if (entry.dueAtMs <= nowMs && (after === undefined || order(after, entry) < 0)) due.push(entry);
    }
    const entries = due.sort(order).slice(0, limit);
    return { entries, next: entries.length < due.length ? entries.at(-1) : undefined };
  }

  #catchUp(nowMs: number): void {
    let seen = 0;
    for (const { task, dueAtMs, visibleAtMs } of this.#pending) {
      if (visibleAtMs > nowMs) break;
      seen++;
      this.#apply(task, dueAtMs);
    }
    if (seen > 0) this.#pending.splice(0, seen);
  }

  #apply(task: DueTask, dueAtMs: number | undefined): void {
    const shard = this.#shards[shardOf(task.id, this.#shards.length)];
    if (dueAtMs === undefined) shard?.delete(task.id);
    else shard?.set(task.id, { ...task, dueAtMs });
  }
}
