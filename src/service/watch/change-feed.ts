import type { TaskId } from '../../ports/task-store.ts';

/** Notifies the watchers on this node that a task has changed. The watchers read the change itself from the store. */
export interface ChangeFeed {
  publish(id: TaskId): void;
  /** Calls `changed` after each change of the task. Returns a function that ends the subscription. */
  subscribe(id: TaskId, changed: () => void): () => void;
}

export function createChangeFeed(): ChangeFeed {
  const watchers = new Map<TaskId, Set<() => void>>();
  return {
    publish(id) {
      if (watchers.size === 0) return;
      for (const changed of watchers.get(id) ?? []) changed();
    },
    subscribe(id, changed) {
      const set = watchers.get(id) ?? new Set();
      watchers.set(id, set.add(changed));
      return () => {
        set.delete(changed);
        if (set.size === 0 && watchers.get(id) === set) watchers.delete(id);
      };
    },
  };
}
