import type { TaskId } from '../../ports/task-store.ts';

/** Tells watchers on this node that something happened to a task. What happened they read from the store. */
export interface Feed {
  publish(id: TaskId): void;
  /** Calls back at each change of the task; the answer ends it. */
  subscribe(id: TaskId, changed: () => void): () => void;
}

export function createFeed(): Feed {
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
