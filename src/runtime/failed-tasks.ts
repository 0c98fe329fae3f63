import type { QueueRef, TaskId } from '../ports/task-store.ts';
import { queueKey } from '../service/admin/queue-settings.ts';
import { nextPause, type Pause } from './growing-pause.ts';

const range = { firstMs: 60_000, longestMs: 64 * 60_000 } as const;
const mostTasks = 10_000;
/** Of one queue in one round. */
const mostAtOnce = 100;

interface Unhelped extends Pause {
  readonly queue: string;
}

/**
 * Tasks that could not be helped when they were looked at, such as one whose SQS queue is gone: this process tries them
 * again, ever more rarely. Where it does not live so long, or they are more than it remembers, their next look finds them.
 */
export class UnhelpedTasks {
  readonly #tasks = new Map<TaskId, Unhelped>();

  failed(id: TaskId, queue: QueueRef, nowMs: number): void {
    const before = this.#tasks.get(id);
    if (before === undefined && this.#tasks.size >= mostTasks) return;
    this.#tasks.set(id, { queue: queueKey(queue), ...nextPause(before, nowMs, range) });
  }

  /** It was passed over, since too many before it could not be helped. */
  untried(id: TaskId, queue: QueueRef, nowMs: number): void {
    if (this.#tasks.has(id) || this.#tasks.size >= mostTasks) return;
    this.#tasks.set(id, { queue: queueKey(queue), untilMs: nowMs, ms: 0 });
  }

  helped(id: TaskId): void {
    this.#tasks.delete(id);
  }

  /** Some of a queue that are to be tried again, those that were tried least first. */
  due(queue: QueueRef, nowMs: number): TaskId[] {
    const name = queueKey(queue);
    return [...this.#tasks]
      .filter(([, task]) => task.queue === name && task.untilMs <= nowMs)
      .sort(([, one], [, other]) => one.ms - other.ms)
      .slice(0, mostAtOnce)
      .map(([id]) => id);
  }

  /** Another node looks after it now. */
  forget(queue: QueueRef): void {
    const name = queueKey(queue);
    for (const [id, task] of this.#tasks) if (task.queue === name) this.#tasks.delete(id);
  }
}
