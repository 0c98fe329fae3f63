import type { Snapshot } from '../../../ports/task-store.ts';
import type { Kind, QueueName } from '../rows/interned-names.ts';
import { Heap } from './heap.ts';

/** One task's bell, as this process knows it. */
export interface ReadyEntry {
  readonly seq: number;
  readonly list: ReadyList;
  /**
   * `shelf`: audible. `held`: received and hidden. `running`: the lease's end in the file is its timer. `gone`: it
   * has no bell any more, and whoever still meets the entry passes over it.
   */
  place: 'listed' | 'inFlight' | 'running' | 'gone';
  /** As in the file; undefined: read when it is received. */
  snapshot: Snapshot | undefined;
  revision: number;
  state: number;
  /** Of its snapshot's spec. */
  bytes: number;
  /** Names the latest receipt. */
  receipt: number;
  receiveCount: number;
  hiddenUntilMs: number;
  sentAtMs: number;
  /** When its lease counts as spent, as far as this process knows: 0 where it does not. */
  leaseExpiredAtMs: number;
}

/**
 * The ready tasks of one (queue, priority, kind), in acceptance order. Those up to `filledTo` are in memory or held
 * by somebody; those above it are in the file only, and there are none where the shelf is `complete`.
 */
export class ReadyList {
  readonly queue: QueueName;
  readonly priority: number;
  readonly kind: Kind;
  filledTo = 0;
  complete: boolean;
  /** In order; `#next` is the first that was not taken. */
  #row: ReadyEntry[] = [];
  #next = 0;
  /** Became ready again, below `filledTo`. */
  #returned = new Heap<ReadyEntry>((entry) => entry.seq);

  constructor(queue: QueueName, priority: number, kind: Kind, complete: boolean) {
    this.queue = queue;
    this.priority = priority;
    this.kind = kind;
    this.complete = complete;
  }

  /** How many are in memory, those that went away meanwhile included. */
  get size(): number {
    return this.#row.length - this.#next + this.#returned.size;
  }

  append(entry: ReadyEntry): void {
    this.#row.push(entry);
    this.filledTo = entry.seq;
  }

  giveBack(entry: ReadyEntry): void {
    this.#returned.push(entry);
  }

  /** The first audible one in memory. */
  peek(): ReadyEntry | undefined {
    let first = this.#row[this.#next];
    while (first !== undefined && first.place !== 'listed') {
      this.#pass();
      first = this.#row[this.#next];
    }
    let back = this.#returned.peek();
    while (back !== undefined && back.place !== 'listed') {
      this.#returned.pop();
      back = this.#returned.peek();
    }
    if (back === undefined) return first;
    return first === undefined || back.seq < first.seq ? back : first;
  }

  /** Takes out what `peek` answered. */
  shift(entry: ReadyEntry): void {
    if (this.#returned.peek() === entry) this.#returned.pop();
    else this.#pass();
  }

  /** Gives up the newer half of what is in memory; answers what is no longer there. The file still has it. */
  dropNewer(): ReadyEntry[] {
    const keep = this.#next + Math.floor((this.#row.length - this.#next) / 2);
    const dropped = this.#row.splice(keep);
    this.complete = false;
    this.filledTo = (dropped[0]?.seq ?? this.filledTo + 1) - 1;
    return dropped;
  }

  /** Gives up all of it, to be filled from the file again. */
  dropAll(): ReadyEntry[] {
    const dropped = this.#row.slice(this.#next);
    for (let entry = this.#returned.pop(); entry !== undefined; entry = this.#returned.pop())
      dropped.push(entry);
    this.#row = [];
    this.#next = 0;
    this.complete = false;
    this.filledTo = 0;
    return dropped;
  }

  #pass(): void {
    this.#next++;
    if (this.#next >= 1_024 && this.#next * 2 > this.#row.length) {
      this.#row = this.#row.slice(this.#next);
      this.#next = 0;
    }
  }
}
