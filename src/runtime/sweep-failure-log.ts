import type { Log } from '../ports/log.ts';
import type { QueueRef, TaskId } from '../ports/task-store.ts';
import { queueKey } from '../service/admin/queue-settings.ts';
import type { Pauses } from './due-backoff.ts';

interface Trouble {
  readonly queue: QueueRef | undefined;
  readonly taskId: TaskId;
  readonly err: unknown;
  failed: number;
}

/** Of a task that is damaged so that its queue cannot be read: empty. */
export function queueName(ref: QueueRef | undefined): string {
  return ref === undefined ? '' : queueKey(ref);
}

/** What went wrong in one round of the sweep: told in one line a queue, however many tasks it was. */
export class Troubles {
  readonly #byQueue = new Map<string, Trouble>();

  failed(queue: QueueRef | undefined, taskId: TaskId, err: unknown): void {
    const name = queueName(queue);
    const trouble = this.#byQueue.get(name);
    if (trouble === undefined) this.#byQueue.set(name, { queue, taskId, err, failed: 1 });
    else trouble.failed++;
  }

  tell(log: Log, pauses: Pauses): void {
    if (this.#byQueue.size === 0) return;
    const counts = pauses.counts();
    for (const [name, { queue, taskId, err, failed }] of this.#byQueue) {
      const waiting = counts.get(name) ?? 0;
      const fields = { err, tenant: queue?.tenant, queue: queue?.queue, task_id: taskId, failed, waiting };
      log.warn(fields, 'could not act on due tasks; they stay due and are tried again');
    }
  }
}
