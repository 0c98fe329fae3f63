import type { Snapshot } from '../../../ports/task-store.ts';
import type { InternedQueue, InternedTaskType } from '../rows/interned-names.ts';
import { Heap } from './heap.ts';

/** The delivery state of one task that is ready or running, as this process knows it. */
export interface ReadyEntry {
  readonly seq: number;
  readonly list: ReadyList;
  /**
   * `listed`: visible, in its list. `inFlight`: received and hidden until its visibility timeout. `running`: hidden
   * until the task's lease expires. `gone`: removed; lists that still hold the entry skip it.
   */
  deliveryStatus: 'listed' | 'inFlight' | 'running' | 'gone';
  /** The task as in the file. Undefined if it must be read from the file when it is received. */
  snapshot: Snapshot | undefined;
  revision: number;
  taskState: number;
  /** The size of the snapshot's spec in bytes. 0 without a snapshot. */
  bytes: number;
  /** The number of the latest receipt. Earlier receipts are stale. */
  receipt: number;
  receiveCount: number;
  hiddenUntilMs: number;
  sentAtMs: number;
  /** The time at which the task's lease counts as expired. 0 if this process does not know it. */
  leaseExpiredAtMs: number;
}

/**
 * The ready tasks of one (queue, priority, task type), in acceptance order. Tasks up to `filledTo` are in memory or in
 * flight. Tasks after it are only in the file. If the list is `complete`, the file has no more of them.
 */
export class ReadyList {
  readonly queue: InternedQueue;
  readonly priority: number;
  readonly taskType: InternedTaskType;
  filledTo = 0;
  complete: boolean;
  /** The entries in acceptance order. `#next` is the index of the first entry that was not taken. */
  #entries: ReadyEntry[] = [];
  #next = 0;
  /** The entries up to `filledTo` that became visible again. */
  #returned = new Heap<ReadyEntry>((entry) => entry.seq);

  constructor(queue: InternedQueue, priority: number, taskType: InternedTaskType, complete: boolean) {
    this.queue = queue;
    this.priority = priority;
    this.taskType = taskType;
    this.complete = complete;
  }

  /** The number of entries in memory. Includes removed entries that were not skipped yet. */
  get size(): number {
    return this.#entries.length - this.#next + this.#returned.size;
  }

  append(entry: ReadyEntry): void {
    this.#entries.push(entry);
    this.filledTo = entry.seq;
  }

  putBack(entry: ReadyEntry): void {
    this.#returned.push(entry);
  }

  /** Returns the oldest visible entry in memory. */
  peek(): ReadyEntry | undefined {
    let first = this.#entries[this.#next];
    while (first !== undefined && first.deliveryStatus !== 'listed') {
      this.#skip();
      first = this.#entries[this.#next];
    }
    let returned = this.#returned.peek();
    while (returned !== undefined && returned.deliveryStatus !== 'listed') {
      this.#returned.pop();
      returned = this.#returned.peek();
    }
    if (returned === undefined) return first;
    return first === undefined || returned.seq < first.seq ? returned : first;
  }

  /** Removes the entry that `peek` returned. */
  shift(entry: ReadyEntry): void {
    if (this.#returned.peek() === entry) this.#returned.pop();
    else this.#skip();
  }

  /** Drops the newer half of the entries from memory and returns them. The file still has their tasks. */
  dropNewer(): ReadyEntry[] {
    const keep = this.#next + Math.floor((this.#entries.length - this.#next) / 2);
    const dropped = this.#entries.splice(keep);
    this.complete = false;
    this.filledTo = (dropped[0]?.seq ?? this.filledTo + 1) - 1;
    return dropped;
  }

  /** Drops all entries from memory and returns them. The list is filled from the file again. */
  dropAll(): ReadyEntry[] {
    const dropped = this.#entries.slice(this.#next);
    for (let entry = this.#returned.pop(); entry !== undefined; entry = this.#returned.pop())
      dropped.push(entry);
    this.#entries = [];
    this.#next = 0;
    this.complete = false;
    this.filledTo = 0;
    return dropped;
  }

  #skip(): void {
    this.#next++;
    if (this.#next >= 1_024 && this.#next * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#next);
      this.#next = 0;
    }
  }
}
