import type { LaneKey, QueueRef, TaskId } from '../../../../ports/task-store.ts';
import type { Place } from '../schema/ids.ts';

/**
 * What a change of a task needs beside the change itself. All of it but the last three never changes; those belong to
 * a number of events, so that they are right wherever a write's condition on that number holds.
 */
export interface Known {
  readonly place: Place;
  readonly queue: QueueRef;
  readonly lane: LaneKey | undefined;
  readonly laneSeq: number | undefined;
  readonly acceptedAtMs: number;
  readonly expiresAtMs: number;
  /** Number of events. */
  readonly version: number;
  /** What the next event begins with (chain.ts). */
  readonly link: Uint8Array;
  /** Of the events in the head. */
  readonly tipBytes: number;
}

const most = 16_384;

/** Of tasks that this process saw last, so that a change costs no read. What is missing is read. */
export class KnownTasks {
  readonly #tasks = new Map<TaskId, Known>();

  get(id: TaskId): Known | undefined {
    return this.#tasks.get(id);
  }

  put(id: TaskId, known: Known): void {
    this.#tasks.delete(id);
    this.#tasks.set(id, known);
    if (this.#tasks.size <= most) return;
    for (const oldest of this.#tasks.keys()) {
      this.#tasks.delete(oldest);
      return;
    }
  }
}
