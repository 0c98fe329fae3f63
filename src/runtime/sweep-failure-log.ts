import { type QueueRef, queueKey } from '../core/queue-ref.ts';
import type { Log } from '../ports/log.ts';
import type { TaskId } from '../ports/task-store.ts';
import type { DueBackoff } from './due-backoff.ts';

interface QueueFailure {
  readonly queue: QueueRef | undefined;
  readonly taskId: TaskId;
  readonly err: unknown;
  failed: number;
}

/** Returns the key of the queue, or '' for a task that is so damaged that its queue cannot be read. */
export function queueKeyOrEmpty(ref: QueueRef | undefined): string {
  return ref === undefined ? '' : queueKey(ref);
}

/**
 * Gathers the failures of the sweep until they are logged, after each round, in one line for each queue, however many tasks
 * failed.
 */
export class SweepFailureLog {
  readonly #byQueue = new Map<string, QueueFailure>();

  record(queue: QueueRef | undefined, taskId: TaskId, err: unknown): void {
    const key = queueKeyOrEmpty(queue);
    const failure = this.#byQueue.get(key);
    if (failure === undefined) this.#byQueue.set(key, { queue, taskId, err, failed: 1 });
    else failure.failed++;
  }

  write(log: Log, backoff: DueBackoff): void {
    if (this.#byQueue.size === 0) return;
    const counts = backoff.counts();
    for (const [key, { queue, taskId, err, failed }] of this.#byQueue) {
      const waiting = counts.get(key) ?? 0;
      const fields = { err, tenant: queue?.tenant, queue: queue?.queue, task_id: taskId, failed, waiting };
      log.warn(fields, 'could not dispatch or end some due tasks; retrying with backoff');
    }
    this.#byQueue.clear();
  }
}
