import type { TaskId } from '../../ports/task-store.ts';
import { HeadReads } from './head-batcher.ts';
import { type WatchedParts, WatchedTask } from './watched-task.ts';

/** The tasks that are watched on this node: each is followed once, as long as somebody watches. */
export class WatchedTasks {
  readonly #parts: WatchedParts;
  readonly #tasks = new Map<TaskId, { readonly task: WatchedTask; watchers: number }>();

  constructor(parts: Omit<WatchedParts, 'reads'>) {
    this.#parts = { ...parts, reads: new HeadReads(parts.store, parts.clock) };
  }

  /** Each call needs one `leave` of what it gave. */
  join(id: TaskId): WatchedTask {
    const known = this.#tasks.get(id);
    if (known !== undefined && known.task.failure === undefined) {
      known.watchers++;
      return known.task;
    }
    const task = new WatchedTask(id, this.#parts);
    this.#tasks.set(id, { task, watchers: 1 });
    return task;
  }

  leave(id: TaskId, task: WatchedTask): void {
    const known = this.#tasks.get(id);
    // One that failed may have been replaced since.
    if (known?.task === task) {
      if (--known.watchers > 0) return;
      this.#tasks.delete(id);
    }
    task.close();
  }
}
