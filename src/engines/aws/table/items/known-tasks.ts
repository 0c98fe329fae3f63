import type { QueueRef } from '../../../../core/queue-ref.ts';
import type { LaneKey, TaskId } from '../../../../ports/task-store.ts';
import type { ItemAddress } from '../schema/ids.ts';

/**
 * Data about a task that the next write to the task needs. `version`, `link` and `tipBytes` hold for one number of
 * events, and the condition of the write checks that number. The other fields never change.
 */
export interface KnownTask {
  readonly address: ItemAddress;
  readonly queue: QueueRef;
  readonly lane: LaneKey | undefined;
  readonly laneSeq: number | undefined;
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number;
  /** Number of the task's events, the submission included. */
  readonly version: number;
  /** Link (a hash) that the task's next event begins with (see hash-chain.ts). */
  readonly link: Uint8Array;
  /** Size in bytes of the events stored in the task's head. */
  readonly tipBytes: number;
}

const mostTasks = 16_384;

/**
 * Cache of data about the tasks that this process read or wrote last, so that a change of such a task costs no read.
 * Any other task is read before it is changed.
 */
export class KnownTasks {
  readonly #tasks = new Map<TaskId, KnownTask>();

  get(id: TaskId): KnownTask | undefined {
    return this.#tasks.get(id);
  }

  put(id: TaskId, known: KnownTask): void {
    this.#tasks.delete(id);
    this.#tasks.set(id, known);
    if (this.#tasks.size <= mostTasks) return;
    for (const oldest of this.#tasks.keys()) {
      this.#tasks.delete(oldest);
      return;
    }
  }
}
