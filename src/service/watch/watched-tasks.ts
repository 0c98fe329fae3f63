import type { Clock } from '../../ports/clock.ts';
import type { TaskId, TaskStore } from '../../ports/task-store.ts';
import type { ChangeFeed } from './change-feed.ts';
import { PollSchedule } from './poll-schedule.ts';
import { ReadBatcher, type ReadMany } from './read-batcher.ts';
import { type HeadRead, WatchedTask, type WatchedTaskParts } from './watched-task.ts';

interface WatchedTasksOptions {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
}

/** Returns a read of heads: of these alone if the store can, else of the whole snapshots. */
function headReader(store: TaskStore, clock: Clock): ReadMany<HeadRead> {
  const { heads } = store;
  if (heads === undefined) {
    return async (ids) => {
      const snapshots = await store.read(ids, clock.now());
      return snapshots.map((snapshot) => snapshot && { head: snapshot.head, snapshot });
    };
  }
  return async (ids) => {
    const found = await heads.call(store, ids, clock.now());
    return found.map((head) => head && { head, snapshot: undefined });
  };
}

/** The tasks that are watched on this node. Each task is read once for all of its watchers, for as long as it has any. */
export class WatchedTasks {
  readonly #parts: WatchedTaskParts;
  readonly #tasks = new Map<TaskId, WatchedTask>();

  constructor({ store, clock, feed }: WatchedTasksOptions) {
    this.#parts = {
      ...{ store, clock },
      firstReads: new ReadBatcher(clock, (ids) => store.read(ids, clock.now())),
      reads: new ReadBatcher(clock, headReader(store, clock)),
      polls: new PollSchedule(clock),
    };
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
