import type { Snapshot } from '../../../ports/task-store.ts';
import type { InternedQueue, InternedTaskType } from '../rows/interned-names.ts';
import { Heap } from './heap.ts';

/** The delivery state of one task that is ready or running, as this process knows it. */
export interface ReadyEntry {
  readonly seq: number;
  readonly list: ReadyList;
  /**
   * The state of the task's dispatch message. `listed`: visible, in its ready list. `inFlight`: received and hidden
   * until its visibility timeout ends. `running`: hidden until the task's lease expires. `gone`: removed; ready lists
   * that still hold the entry skip it.
   */
  deliveryStatus: 'listed' | 'inFlight' | 'running' | 'gone';
  /** The snapshot of the task as in the file. Undefined if the next receive call must read it from the file. */
  snapshot: Snapshot | undefined;
  revision: number;
  taskState: number;
  /** The size in bytes of the task's spec in the cached snapshot. 0 if no snapshot is cached. */
  bytes: number;
  /** The number of the latest receipt of the dispatch message. Earlier receipts are stale. */
  receipt: number;
  receiveCount: number;
  hiddenUntilMs: number;
  sentAtMs: number;
  /** The time in ms at which the task's lease counts as expired. 0 if this process does not know the lease. */
  leaseExpiredAtMs: number;
}

/**
 * The ready tasks of one queue, priority and task type, in the order of acceptance. Tasks up to the row number
 * `filledTo` are in memory or in flight. Later tasks are only in the file. If the list is `complete`, the file has no
 * later tasks.
 */
export class ReadyList {
  readonly queue: InternedQueue;
  readonly priority: number;
  readonly taskType: InternedTaskType;
  filledTo = 0;
  complete: boolean;
  /**
   * The entries of the ready list in the order of acceptance. `#next` is the index of the first entry that was not
   * taken.
   */
  #entries: ReadyEntry[] = [];
  #next = 0;
  /**
   * The entries with a row number up to `filledTo` that became visible again, or became ready after the list was
   * filled.
   */
  #returned = new Heap<ReadyEntry>((entry) => entry.seq);

  constructor(queue: InternedQueue, priority: number, taskType: InternedTaskType, complete: boolean) {
    this.queue = queue;
    this.priority = priority;
    this.taskType = taskType;
    this.complete = complete;
  }

  /** The number of entries of the ready list in memory. Includes removed entries that `peek` has not skipped yet. */
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

  /** Returns the oldest visible entry of the ready list in memory. */
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

  /** Removes the entry that `peek` returned from the ready list. */
  shift(entry: ReadyEntry): void {
    if (this.#returned.peek() === entry) this.#returned.pop();
    else this.#skip();
  }

  /** Drops the newer half of the ready list's entries from memory and returns them. The file still has their tasks. */
  dropNewer(): ReadyEntry[] {
    const keep = this.#next + Math.floor((this.#entries.length - this.#next) / 2);
    const dropped = this.#entries.splice(keep);
    this.complete = false;
    this.filledTo = (dropped[0]?.seq ?? this.filledTo + 1) - 1;
    return dropped;
  }

  /** Drops all entries of the ready list from memory and returns them. The list is filled from the file again later. */
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
