import type { Snapshot } from '../../../ports/task-store.ts';
import type { Kind, QueueName } from '../rows/interned-names.ts';
import { ready } from '../rows/rows.ts';
import { type ReadyEntry, ReadyList } from './ready-list.ts';

export interface ReadyCacheSizes {
  /** Bells in memory with their tasks, in all. */
  readonly entries: number;
  /** Bytes of spec in them. */
  readonly bytes: number;
  readonly refillBelow: number;
  readonly refillBy: number;
}

/** Measured: fewer entries cost throughput, more only memory. */
export const readyCacheSizes: ReadyCacheSizes = {
  entries: 12_000,
  bytes: 64 * 1_048_576,
  refillBelow: 5_000,
  refillBy: 2_000,
};

/** How the ring sees the file. */
export interface ReadyCacheSource {
  /** Ready tasks of a shelf above `after`, in order; read one by one. */
  readyAfter(list: ReadyList, after: number, limit: number): Iterable<Snapshot>;
  seqOf(snapshot: Snapshot): number;
  /** Kinds with ready tasks. */
  kinds(queue: QueueName, priority: number): Iterable<Kind>;
  load(seq: number): Snapshot | undefined;
}

/** Where a task's bell hangs. */
export interface At {
  readonly queue: QueueName;
  readonly priority: number;
  readonly kind: Kind;
}

interface QueueLists {
  /** Kinds that the file had before were looked up: whatever shelf is new from now on has nothing in the file. */
  discovered: boolean;
  readonly byKind: Map<number, ReadyList>[];
  /** Those that may have something to give. */
  readonly active: Set<ReadyList>[];
}

const priorities = [0, 1, 2];

/**
 * What of the file's ready index is in memory: a window on the beginning of each shelf, filled when it runs low and
 * given up where another one needs the room.
 */
export class ReadyCache {
  readonly #source: ReadyCacheSource;
  readonly #sizes: ReadyCacheSizes;
  readonly #entries = new Map<number, ReadyEntry>();
  #queues = new Map<QueueName, QueueLists>();
  #count = 0;
  #bytes = 0;
  refills = 0;
  /** Queues in which a bell became audible since somebody last looked. */
  readonly changedQueues = new Set<QueueName>();

  constructor(source: ReadyCacheSource, sizes: ReadyCacheSizes) {
    this.#source = source;
    this.#sizes = sizes;
  }

  entry(seq: number): ReadyEntry | undefined {
    return this.#entries.get(seq);
  }

  /** The queue has no rows yet, so that there is nothing to look up in the file. */
  begin(queue: QueueName): void {
    this.#listsOf(queue).discovered = true;
  }

  /** A task that became ready. What lies beyond the window, or does not fit, stays in the file. */
  admit(seq: number, at: At, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const list = this.#listOf(at);
    if (seq <= list.filledTo) {
      this.putBack(this.make(seq, at, revision, nowMs));
    } else if (list.complete && this.#count < this.#sizes.entries && this.#bytes < this.#sizes.bytes) {
      this.#line(seq, at, revision, nowMs, snapshot);
    } else {
      list.complete = false;
      this.#activate(list);
    }
  }

  /** Back below `filledTo`, without its task: that is read when it is received. */
  putBack(entry: ReadyEntry): void {
    entry.place = 'listed';
    this.#count++;
    entry.list.giveBack(entry);
    this.#activate(entry.list);
    if (this.#count > this.#sizes.entries) this.#evict(entry.list);
  }

  /** No longer among the audible ones. */
  takeOut(entry: ReadyEntry): void {
    if (entry.place !== 'listed') return;
    this.#count--;
    this.setSnapshot(entry, undefined);
  }

  forget(entry: ReadyEntry): void {
    this.takeOut(entry);
    entry.place = 'gone';
    this.#entries.delete(entry.seq);
  }

  make(seq: number, at: At, revision: number, nowMs: number): ReadyEntry {
    const entry: ReadyEntry = {
      seq,
      list: this.#listOf(at),
      place: 'listed',
      snapshot: undefined,
      revision,
      state: ready,
      bytes: 0,
      receipt: 0,
      receiveCount: 0,
      hiddenUntilMs: 0,
      sentAtMs: nowMs,
      leaseExpiredAtMs: 0,
    };
    this.#entries.set(seq, entry);
    return entry;
  }

  /** Gives an entry its task, or takes it away. */
  setSnapshot(entry: ReadyEntry, snapshot: Snapshot | undefined): void {
    const bytes = snapshot?.submission.spec.length ?? 0;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.snapshot = snapshot;
  }

  /** A queue's shelves of one priority that have something to give. */
  visible(queue: QueueName, priority: number, wanted: (kind: Kind) => boolean): ReadyList[] {
    const lists: ReadyList[] = [];
    const active = this.#discover(queue).active[priority] as Set<ReadyList>;
    for (const list of active) {
      if (!wanted(list.kind)) continue;
      if (!list.complete && list.size < this.#sizes.refillBelow) this.#refill(list);
      if (this.fill(list)) lists.push(list);
      else if (list.complete) active.delete(list);
    }
    return lists;
  }

  /** False: neither memory nor the file has any more of it. */
  fill(list: ReadyList): boolean {
    while (list.peek() === undefined) {
      if (list.complete) return false;
      this.#refill(list);
    }
    return true;
  }

  load(entry: ReadyEntry): Snapshot | undefined {
    return entry.snapshot ?? this.#source.load(entry.seq);
  }

  clear(): void {
    for (const queue of this.#queues.keys()) this.changedQueues.add(queue);
    this.#entries.clear();
    this.#queues = new Map();
    this.#count = 0;
    this.#bytes = 0;
  }

  /** At the end of the shelf's row. */
  #line(seq: number, at: At, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const entry = this.make(seq, at, revision, nowMs);
    this.#count++;
    this.setSnapshot(entry, snapshot);
    entry.list.append(entry);
    this.#activate(entry.list);
  }

  /** Never by more than its room, but by one. */
  #refill(list: ReadyList): void {
    const isFull = this.#count >= this.#sizes.entries || this.#bytes >= this.#sizes.bytes;
    if (isFull && list.peek() !== undefined) return;
    if (isFull) this.#makeRoom(list);
    const limit = Math.max(1, Math.min(this.#sizes.entries - this.#count, this.#sizes.refillBy));
    this.refills++;
    let read = 0;
    for (const snapshot of this.#source.readyAfter(list, list.filledTo, limit)) {
      read++;
      const seq = this.#source.seqOf(snapshot);
      if (this.#entries.has(seq)) list.filledTo = seq;
      else this.#line(seq, list, snapshot.head.revision, snapshot.submission.acceptedAtMs, snapshot);
      if (this.#bytes >= this.#sizes.bytes) return;
    }
    if (read < limit) list.complete = true;
  }

  /** The fullest other shelf gives up half of what it has. */
  #makeRoom(wanting: ReadyList): void {
    let fullest: ReadyList | undefined;
    for (const of of this.#queues.values()) {
      for (const active of of.active) {
        for (const list of active) {
          if (list !== wanting && list.size > (fullest?.size ?? 0)) fullest = list;
        }
      }
    }
    if (fullest !== undefined) this.#dropFrom(fullest.dropNewer());
    if (this.#count >= this.#sizes.entries && fullest !== undefined) this.#evict(fullest);
  }

  #evict(list: ReadyList): void {
    this.#dropFrom(list.dropAll());
    this.#activate(list);
  }

  #dropFrom(entries: readonly ReadyEntry[]): void {
    for (const entry of entries) if (entry.place === 'listed') this.forget(entry);
  }

  #activate(list: ReadyList): void {
    this.changedQueues.add(list.queue);
    this.#listsOf(list.queue).active[list.priority]?.add(list);
  }

  #listsOf(queue: QueueName): QueueLists {
    let of = this.#queues.get(queue);
    if (of === undefined) {
      of = {
        discovered: false,
        byKind: priorities.map(() => new Map()),
        active: priorities.map(() => new Set()),
      };
      this.#queues.set(queue, of);
    }
    return of;
  }

  #listOf({ queue, priority, kind }: At): ReadyList {
    const of = this.#listsOf(queue);
    const byKind = of.byKind[priority] as Map<number, ReadyList>;
    let list = byKind.get(kind.id);
    if (list === undefined) {
      list = new ReadyList(queue, priority, kind, of.discovered);
      byKind.set(kind.id, list);
    }
    return list;
  }

  /** At the first receive of a queue: which kinds of it the file has ready tasks of. */
  #discover(queue: QueueName): QueueLists {
    const of = this.#listsOf(queue);
    if (of.discovered) return of;
    for (const priority of priorities) {
      for (const kind of this.#source.kinds(queue, priority)) {
        this.#activate(this.#listOf({ queue, priority, kind }));
      }
    }
    of.discovered = true;
    return of;
  }
}
