import { AloneTask } from './alone-tasks.ts';
import { type BufferedAssignment, giveBackAtMs } from './buffered-assignment.ts';

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
        this.#remove(task);
        start(task);
      }
    });
  }

  /** The tasks that must run alone. Their leases are renewed while the report waits for the socket. */
  get alone(): AloneTask[] {
    return [...this.#tasks.values()].filter((task) => task instanceof AloneTask);
  }

  /** The time at which the next of these tasks must be given back if it has not begun; undefined if there is none. */
  get nextGiveBackAtMs(): number | undefined {
    if (this.#tasks.size === 0) return undefined;
    return Math.min(...[...this.#tasks.values()].map(giveBackAtMs));
  }

  /** Removes and returns a task whose handler was not called yet. */
  take(id: string, fencingToken: number): BufferedAssignment | undefined {
    const task = this.#tasks.get(id);
    if (task?.assignment.fencingToken !== fencingToken) return undefined;
    this.#remove(task);
    return task;
  }

  /** Removes and returns the tasks whose handlers must not be called any more. With `nowMs` Infinity it returns all tasks. */
  takeLate(nowMs: number): BufferedAssignment[] {
    const late = [...this.#tasks.values()].filter((task) => giveBackAtMs(task) <= nowMs);
    for (const task of late) this.#remove(task);
    return late;
  }

  #remove(task: BufferedAssignment): void {
    this.#tasks.delete(task.assignment.id);
    if (task instanceof AloneTask) task.over = true;
  }
}
