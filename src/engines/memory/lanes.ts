import type { LaneKey, LanePointer, TaskId } from '../../ports/task-store.ts';
import { queueName } from './rows.ts';

function laneName(lane: LaneKey): string {
  return `${queueName(lane)}${lane.orderingKey}`;
}

/** One pointer per task that has not left its lane, in the order of their numbers. */
export class Lanes {
  // A Map keeps the order of insertion, and numbers only rise.
  readonly #lanes = new Map<string, Map<TaskId, number>>();
  #last = 0;

  /** A place at the tail; an earlier one is given up. */
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
