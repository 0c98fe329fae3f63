import type { TaskId } from '../../ports/task-store.ts';

/** Notifies this node's watched tasks that a task has changed. They read the change itself from the store. */
export interface ChangeFeed {
  publish(id: TaskId): void;
  /** Calls `changed` after each change of a task by this node. */
  listen(changed: (id: TaskId) => void): void;
}

export function createChangeFeed(): ChangeFeed {
  let notify = (_id: TaskId): void => {};
  return {
    publish: (id) => notify(id),
    listen(changed) {
      notify = changed;
    },
  };
}
