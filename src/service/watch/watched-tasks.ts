import type { TaskId } from '../../ports/task-store.ts';
import { HeadBatcher } from './head-batcher.ts';
import { WatchedTask, type WatchedTaskParts } from './watched-task.ts';

/** The tasks that are watched on this node. Each task is read once for all of its watchers, for as long as it has any. */
export class WatchedTasks {
  readonly #parts: WatchedTaskParts;
  readonly #tasks = new Map<TaskId, { readonly task: WatchedTask; watchers: number }>();

  constructor(parts: Omit<WatchedTaskParts, 'reads'>) {
    this.#parts = { ...parts, reads: new HeadBatcher(parts.store, parts.clock) };
  }

  /**
   * Adds a watcher to a task and returns the watched task. Each call must be followed by one `leave` with that watched
   * task.
   */
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
    // A watched task that failed may have been replaced by a new one in the map since this watcher joined.
    if (known?.task === task) {
      if (--known.watchers > 0) return;
      this.#tasks.delete(id);
    }
    task.close();
  }
}
