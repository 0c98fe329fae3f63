import type { QueueRef } from '../../../../core/queue-ref.ts';
import type { LaneKey, TaskId } from '../../../../ports/task-store.ts';
import type { ItemAddress } from '../schema/ids.ts';

/**
 * Facts about a task that a change needs beside the change itself. All fields but the last three never change. Those
 * three belong to one number of events, so they are right whenever a write's condition on that number holds.
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
  /** Link that the next event begins with (see hash-chain.ts). */
  readonly link: Uint8Array;
  /** Size in bytes of the events stored in the head. */
  readonly tipBytes: number;
}

const mostTasks = 16_384;

/**
 * Cache of facts about the tasks that this process saw last, so that changing one of them costs no read. Any other
 * task is read first.
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
