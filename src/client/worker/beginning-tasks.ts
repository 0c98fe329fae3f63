import type { BufferedAssignment } from './buffered-assignment.ts';

/**
 * The tasks that have a slot and whose beginning is on its way to the server. A handler is called only once the report
 * was handed to the socket: otherwise a handler that ends its process at once would be taken for one that never began,
 * and its task would be given to the next worker without end.
 */
export class BeginningTasks {
  readonly #tasks = new Map<string, BufferedAssignment>();

  /** Calls `start` for each of the tasks once the report was sent, unless the task was taken back meanwhile. */
  begin(
    tasks: readonly BufferedAssignment[],
    sent: Promise<void>,
    start: (task: BufferedAssignment) => void,
  ): void {
    for (const task of tasks) this.#tasks.set(task.assignment.id, task);
    void sent.then(() => {
      for (const task of tasks) {
        if (this.#tasks.get(task.assignment.id) !== task) continue;
        this.#tasks.delete(task.assignment.id);
        start(task);
      }
    });
  }

  /** Removes and returns a task whose handler was not called yet. */
  take(id: string, fencingToken: number): BufferedAssignment | undefined {
    const task = this.#tasks.get(id);
    if (task?.assignment.fencingToken !== fencingToken) return undefined;
    this.#tasks.delete(id);
    return task;
  }

  /** Removes and returns all tasks whose handlers were not called yet. */
  takeAll(): BufferedAssignment[] {
    const all = [...this.#tasks.values()];
    this.#tasks.clear();
    return all;
  }
}
