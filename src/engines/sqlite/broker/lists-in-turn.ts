import type { TypeRoom } from '../../../core/type-room.ts';
import type { ReadyEntry, ReadyList } from './ready-list.ts';

/**
 * The ready lists of one priority from which a receive call takes tasks. The queues take turns, beginning with the first
 * one; within a queue the oldest task comes first.
 */
export class ListsInTurn {
  readonly #byQueue: ReadyList[][] = [];
  readonly #typeRoom: TypeRoom | undefined;
  #turn = 0;

  constructor(typeRoom: TypeRoom | undefined) {
    this.#typeRoom = typeRoom;
  }

  addQueue(lists: ReadyList[]): void {
    if (lists.length > 0) this.#byQueue.push(lists);
  }

  /** Returns the oldest visible entry of the queue whose turn it is, or undefined if no queue has a task left. */
  next(): ReadyEntry | undefined {
    while (this.#byQueue.length > 0) {
      if (this.#turn >= this.#byQueue.length) this.#turn = 0;
      const entry = this.#oldestOf(this.#byQueue[this.#turn] as ReadyList[]);
      if (entry !== undefined) return entry;
      this.#byQueue.splice(this.#turn, 1);
    }
    return undefined;
  }

  /** Records that the entry of `next` was taken: the next queue has its turn. */
  taken(): void {
    this.#turn++;
  }

  /**
   * Returns the oldest visible entry in memory of several ready lists, among those whose task type has room left. A list
   * that was evicted meanwhile is refilled at the next receive call.
   */
  #oldestOf(lists: readonly ReadyList[]): ReadyEntry | undefined {
    let oldest: ReadyEntry | undefined;
    for (const list of lists) {
      if (this.#typeRoom?.has(list.taskType.type) === false) continue;
      const entry = list.peek();
      if (entry !== undefined && (oldest === undefined || entry.seq < oldest.seq)) oldest = entry;
    }
    return oldest;
  }
}
