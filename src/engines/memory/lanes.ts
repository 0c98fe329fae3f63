import { queueKey } from '../../core/queue-ref.ts';
import type { LaneKey, LanePointer, TaskId } from '../../ports/task-store.ts';

function laneName(lane: LaneKey): string {
  return `${queueKey(lane)}/${lane.orderingKey}`;
}

/**
 * Holds the lanes: for each ordering key, a numbered pointer to each task that has not left the lane, in ascending
 * order.
 */
export class Lanes {
  // A Map keeps the order of insertion. This is the order of the lane pointers' numbers, because each new number is
  // higher than the last.
  readonly #lanes = new Map<string, Map<TaskId, number>>();
  /** The time until which `shown` does not see a place, by the place's number. Empty without injected faults. */
  readonly #hiddenUntilMs = new Map<number, number>();
  #last = 0;

  /**
   * Adds a task at the end of a lane (the tasks of one ordering key) and returns the number of the task's place in the
   * lane. An earlier place of the task is removed.
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

  /** Hides a new place from `shown` until a time, as if the commit that gave the place were still in progress. */
  hide(seq: number, untilMs: number): void {
    this.#hiddenUntilMs.set(seq, untilMs);
  }

  /** Returns the first place of a lane that is not hidden. */
  shown(lane: LaneKey, nowMs: number): LanePointer | undefined {
    for (const [id, seq] of this.of(lane)) {
      if ((this.#hiddenUntilMs.get(seq) ?? nowMs) <= nowMs) return { id, seq };
    }
    return undefined;
  }

  of(lane: LaneKey): Iterable<[TaskId, number]> {
    return this.#lanes.get(laneName(lane)) ?? [];
  }
}
