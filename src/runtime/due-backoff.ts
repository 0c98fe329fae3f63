import { type Backoff, nextBackoff } from '../core/backoff.ts';
import type { DueEntry, TaskId } from '../ports/task-store.ts';

const range = { firstMs: 1_000, longestMs: 60_000 } as const;
/** If so many due tasks of a queue fail in one batch and none succeeds, the cause is the queue and not the single task. */
const queueFailures = 10;
/**
 * The maximum number of failed due tasks that a process remembers, in about 8 MB. A failed task that is not remembered is
 * tried again in every sweep.
 */
export const mostRemembered = 50_000;
const mostQueues = 1_000;

/** A due entry, without the queue that the due index names. */
type DueTime = Pick<DueEntry, 'id' | 'dueAtMs'>;

interface TaskBackoff extends Backoff {
  readonly dueAtMs: number;
  readonly queue: string;
}

/** How many due tasks of one queue were dispatched and how many failed in one batch. */
export interface QueueResults {
  readonly sent: number;
  readonly failed: number;
}

/**
 * Remembers due tasks whose action failed, so that the sweep leaves each of them alone until its backoff has elapsed. A
 * queue whose SQS queue cannot be reached gets a backoff for all its tasks. Failed tasks stay in the due index, and the
 * sweep would otherwise read them first every time. All times are on the monotonic clock.
 */
export class DueBackoff {
  readonly #tasks = new Map<TaskId, TaskBackoff>();
  readonly #queues = new Map<string, Backoff>();
  readonly #mostTasks: number;

  constructor(mostTasks = mostRemembered) {
    this.#mostTasks = mostTasks;
  }

  /** Returns the number of remembered failed tasks of each queue. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { queue } of this.#tasks.values()) counts.set(queue, (counts.get(queue) ?? 0) + 1);
    return counts;
  }

  /** The number of remembered failed tasks, including tasks whose backoff has elapsed. */
  get size(): number {
    return this.#tasks.size;
  }

  /**
   * Returns true while the sweep may not try the task of the due entry again. An entry whose due time has changed counts
   * as new and has no backoff.
   */
  isBackedOff({ id, dueAtMs }: DueTime, nowMs: number): boolean {
    const task = this.#tasks.get(id);
    if (task === undefined || task.dueAtMs !== dueAtMs) return false;
    return task.untilMs > nowMs || this.isQueueBackedOff(task.queue, nowMs);
  }

  /** Returns true if the sweep's latest action on the task of this due entry failed, or was put off. */
  remembers({ id, dueAtMs }: DueTime): boolean {
    return this.#tasks.get(id)?.dueAtMs === dueAtMs;
  }

  /** Returns true while the whole queue is backed off: the sweep may try none of the queue's due tasks. */
  isQueueBackedOff(queue: string, nowMs: number): boolean {
    return (this.#queues.get(queue)?.untilMs ?? nowMs) > nowMs;
  }

  /** Records that the sweep's action on the task of a due entry failed: the task's backoff starts or doubles. */
  failed(entry: DueTime, queue: string, nowMs: number): void {
    const before = this.#tasks.get(entry.id);
    this.#put(
      entry,
      queue,
      nextBackoff(before?.dueAtMs === entry.dueAtMs ? before : undefined, nowMs, range),
    );
  }

  /** Records that the sweep did not try the task of a due entry, because the task's queue is backed off. */
  skipped(entry: DueTime, queue: string): void {
    if (this.#tasks.get(entry.id)?.dueAtMs !== entry.dueAtMs) this.#put(entry, queue, { ms: 0, untilMs: 0 });
  }

  succeeded(id: TaskId): void {
    this.#tasks.delete(id);
  }

  /**
   * Records the results of one turn of due tasks of a queue. After one success the queue has no backoff any more and all
   * its due tasks may be tried at once. After 10 failures without a success the backoff of the queue starts or doubles.
   */
  queueTried(queue: string, { sent, failed }: QueueResults, nowMs: number): void {
    const before = this.#queues.get(queue);
    if (sent > 0) {
      if (!this.#queues.delete(queue)) return;
      for (const [id, task] of this.#tasks) if (task.queue === queue) this.#tasks.delete(id);
      return;
    }
    if (failed < queueFailures && (failed === 0 || before === undefined)) return;
    // Another turn of the queue, which was taken at the same time, has begun this backoff.
    if (before !== undefined && before.untilMs > nowMs) return;
    this.#queues.delete(queue);
    if (this.#queues.size < mostQueues) this.#queues.set(queue, nextBackoff(before, nowMs, range));
  }

  /**
   * Forgets every failed task and queue whose backoff elapsed 2 minutes ago and that was not tried since, for example a
   * task that was cancelled or whose shard belongs to another node now.
   */
  prune(nowMs: number): void {
    for (const [queue, { untilMs }] of this.#queues) {
      if (untilMs + 2 * range.longestMs < nowMs) this.#queues.delete(queue);
    }
    for (const [id, { untilMs, queue }] of this.#tasks) {
      if (untilMs + 2 * range.longestMs < nowMs && !this.#queues.has(queue)) this.#tasks.delete(id);
    }
  }

  #put(entry: DueTime, queue: string, backoff: Backoff): void {
    // A full map of failed tasks takes no new task. If new tasks replaced the oldest ones, a sweep over more failed tasks
    // than the map can hold would find none of its tasks remembered.
    if (!this.#tasks.has(entry.id) && this.#tasks.size >= this.#mostTasks) return;
    this.#tasks.set(entry.id, { dueAtMs: entry.dueAtMs, queue, ...backoff });
  }
}
