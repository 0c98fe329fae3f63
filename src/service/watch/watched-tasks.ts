import type { Clock } from '../../ports/clock.ts';
import type { TaskId, TaskStore } from '../../ports/task-store.ts';
import type { ChangeFeed } from './change-feed.ts';
import { HeadBatcher } from './head-batcher.ts';
import { PollSchedule } from './poll-schedule.ts';
import { WatchedTask, type WatchedTaskParts } from './watched-task.ts';

interface WatchedTasksOptions {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
}

/** The tasks that are watched on this node. Each task is read once for all of its watchers, for as long as it has any. */
export class WatchedTasks {
  readonly #parts: WatchedTaskParts;
  readonly #tasks = new Map<TaskId, WatchedTask>();

  constructor({ store, clock, feed }: WatchedTasksOptions) {
    this.#parts = { store, clock, reads: new HeadBatcher(store, clock), polls: new PollSchedule(clock) };
    feed.listen((id) => {
      // While nothing is watched, a look for each change would hash its id, which costs half a microsecond a task.
      if (this.#tasks.size > 0) this.#tasks.get(id)?.requestRead();
    });
  }

  /** Returns the watched task of this id, to which the caller adds its watcher. A task that failed is replaced. */
  of(id: TaskId): WatchedTask {
    const known = this.#tasks.get(id);
    if (known !== undefined && known.failure === undefined) return known;
    const task = new WatchedTask(id, this.#parts);
    this.#tasks.set(id, task);
    return task;
  }

  /** Forgets a task that has no watcher any more. */
  release(task: WatchedTask): void {
    if (!task.isWatched && this.#tasks.get(task.id) === task) this.#tasks.delete(task.id);
  }
}
