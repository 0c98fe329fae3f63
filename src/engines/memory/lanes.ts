import { queueKey } from '../../core/queue-ref.ts';
import type { LaneKey, LanePointer, TaskId } from '../../ports/task-store.ts';

function laneName(lane: LaneKey): string {
  return `${queueKey(lane)}/${lane.orderingKey}`;
}

/**
 * Holds the lanes (the tasks of each ordering key): one pointer per task that has not left its lane, in the order of the
 * pointers' numbers.
 */
export class Lanes {
  // A Map keeps the order of insertion. This is the order of the lane pointers' numbers, because each new number is
  // higher than the last.
  readonly #lanes = new Map<string, Map<TaskId, number>>();
  #last = 0;

  /**
   * Adds the task at the end of the lane and returns the number of its new pointer. An earlier pointer of the task is
   * removed.
   */
  join(lane: LaneKey, id: TaskId): number {
    const name = laneName(lane);
    const pointers = this.#lanes.get(name) ?? new Map<TaskId, number>();
    this.#lanes.set(name, pointers);
    pointers.delete(id);
    pointers.set(id, ++this.#last);
    return this.#last;
  }

  leave(lane: LaneKey, id: TaskId, seq: number | undefined): void {
    const name = laneName(lane);
    const pointers = this.#lanes.get(name);
    if (pointers === undefined || (seq !== undefined && pointers.get(id) !== seq)) return;
    pointers.delete(id);
    if (pointers.size === 0) this.#lanes.delete(name);
  }

  lowest(lane: LaneKey): LanePointer | undefined {
    for (const [id, seq] of this.#lanes.get(laneName(lane)) ?? []) return { id, seq };
    return undefined;
  }

  of(lane: LaneKey): Iterable<[TaskId, number]> {
    return this.#lanes.get(laneName(lane)) ?? [];
  }
}
