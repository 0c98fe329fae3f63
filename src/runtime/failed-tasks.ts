import { type Backoff, nextBackoff } from '../core/backoff.ts';
import { type QueueRef, queueKey } from '../core/queue-ref.ts';
import type { TaskId } from '../ports/task-store.ts';

const range = { firstMs: 60_000, longestMs: 64 * 60_000 } as const;
const mostTasks = 10_000;
/** The maximum number of failed tasks of one queue that one round of the reconciler retries. */
const mostAtOnce = 100;

interface FailedTask extends Backoff {
  readonly queue: string;
}

/**
 * Remembers the tasks that a reconcile pass could not repair, for example because their SQS queue is gone, so that this
 * process retries them with exponential backoff. If the process ends first, or too many tasks failed, the next reconcile
 * pass finds these tasks.
 */
export class FailedTasks {
  readonly #tasks = new Map<TaskId, FailedTask>();

  failed(id: TaskId, queue: QueueRef, nowMs: number): void {
    const before = this.#tasks.get(id);
    if (before === undefined && this.#tasks.size >= mostTasks) return;
    this.#tasks.set(id, { queue: queueKey(queue), ...nextBackoff(before, nowMs, range) });
  }

  /**
   * Records a task that the reconcile pass did not try because too many tasks before it failed. The task may be retried
   * at once.
   */
  skipped(id: TaskId, queue: QueueRef, nowMs: number): void {
    if (this.#tasks.has(id) || this.#tasks.size >= mostTasks) return;
    this.#tasks.set(id, { queue: queueKey(queue), untilMs: nowMs, ms: 0 });
  }

  succeeded(id: TaskId): void {
    this.#tasks.delete(id);
  }

  /**
   * Returns the failed tasks of the queue whose backoff has elapsed, at most `mostAtOnce`, in ascending order of their
   * backoff.
   */
  due(queue: QueueRef, nowMs: number): TaskId[] {
    const name = queueKey(queue);
    return [...this.#tasks]
      .filter(([, task]) => task.queue === name && task.untilMs <= nowMs)
      .sort(([, one], [, other]) => one.ms - other.ms)
      .slice(0, mostAtOnce)
      .map(([id]) => id);
  }

  /** Forgets the failed tasks of a queue that another node reconciles now. */
  forgetQueue(queue: QueueRef): void {
    const name = queueKey(queue);
    for (const [id, task] of this.#tasks) if (task.queue === name) this.#tasks.delete(id);
  }
}
