import type { Snapshot } from '../../../ports/task-store.ts';
import type { Kind, QueueName } from '../rows/interned-names.ts';
import { ready } from '../rows/rows.ts';
import { type Entry, Shelf } from './ready-list.ts';

export interface RingSizes {
  /** Bells in memory with their tasks, in all. */
  readonly entries: number;
  /** Bytes of spec in them. */
  readonly bytes: number;
  readonly refillBelow: number;
  readonly refillBy: number;
}

/** Measured: fewer entries cost throughput, more only memory. */
export const ringSizes: RingSizes = {
  entries: 12_000,
  bytes: 64 * 1_048_576,
  refillBelow: 5_000,
  refillBy: 2_000,
};

/** How the ring sees the file. */
export interface RingSource {
  /** Ready tasks of a shelf above `after`, in order; read one by one. */
  readyAfter(shelf: Shelf, after: number, limit: number): Iterable<Snapshot>;
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

interface QueueShelves {
  /** Kinds that the file had before were looked up: whatever shelf is new from now on has nothing in the file. */
  discovered: boolean;
  readonly byKind: Map<number, Shelf>[];
  /** Those that may have something to give. */
  readonly active: Set<Shelf>[];
}

const priorities = [0, 1, 2];

/**
 * What of the file's ready index is in memory: a window on the beginning of each shelf, filled when it runs low and
 * given up where another one needs the room.
 */
export class Window {
  readonly #source: RingSource;
  readonly #sizes: RingSizes;
  readonly #entries = new Map<number, Entry>();
  #queues = new Map<QueueName, QueueShelves>();
  #count = 0;
  #bytes = 0;
  refills = 0;
  /** Queues in which a bell became audible since somebody last looked. */
  readonly touched = new Set<QueueName>();

  constructor(source: RingSource, sizes: RingSizes) {
    this.#source = source;
    this.#sizes = sizes;
  }

  entry(seq: number): Entry | undefined {
    return this.#entries.get(seq);
  }

  /** The queue has no rows yet, so that there is nothing to look up in the file. */
  begin(queue: QueueName): void {
    this.#shelvesOf(queue).discovered = true;
  }

  /** A task that became ready. What lies beyond the window, or does not fit, stays in the file. */
  admit(seq: number, at: At, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const shelf = this.#shelf(at);
    if (seq <= shelf.filledTo) {
      this.shelve(this.make(seq, at, revision, nowMs));
    } else if (shelf.complete && this.#count < this.#sizes.entries && this.#bytes < this.#sizes.bytes) {
      this.#line(seq, at, revision, nowMs, snapshot);
    } else {
      shelf.complete = false;
      this.#activate(shelf);
    }
  }

  /** Back below `filledTo`, without its task: that is read when it is received. */
  shelve(entry: Entry): void {
    entry.place = 'shelf';
    this.#count++;
    entry.shelf.giveBack(entry);
    this.#activate(entry.shelf);
    if (this.#count > this.#sizes.entries) this.#giveUp(entry.shelf);
  }

  /** No longer among the audible ones. */
  takeOut(entry: Entry): void {
    if (entry.place !== 'shelf') return;
    this.#count--;
    this.weigh(entry, undefined);
  }

  forget(entry: Entry): void {
    this.takeOut(entry);
    entry.place = 'gone';
    this.#entries.delete(entry.seq);
  }

  make(seq: number, at: At, revision: number, nowMs: number): Entry {
    const entry: Entry = {
      seq,
      shelf: this.#shelf(at),
      place: 'shelf',
      snapshot: undefined,
      revision,
      state: ready,
      bytes: 0,
      receipt: 0,
      receives: 0,
      hiddenUntilMs: 0,
      sentAtMs: nowMs,
      spentAtMs: 0,
    };
    this.#entries.set(seq, entry);
    return entry;
  }

  /** Gives an entry its task, or takes it away. */
  weigh(entry: Entry, snapshot: Snapshot | undefined): void {
    const bytes = snapshot?.submission.spec.length ?? 0;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.snapshot = snapshot;
  }

  /** A queue's shelves of one priority that have something to give. */
  audible(queue: QueueName, priority: number, wanted: (kind: Kind) => boolean): Shelf[] {
    const shelves: Shelf[] = [];
    const active = this.#discover(queue).active[priority] as Set<Shelf>;
    for (const shelf of active) {
      if (!wanted(shelf.kind)) continue;
      if (!shelf.complete && shelf.size < this.#sizes.refillBelow) this.#refill(shelf);
      if (this.fill(shelf)) shelves.push(shelf);
      else if (shelf.complete) active.delete(shelf);
    }
    return shelves;
  }

  /** False: neither memory nor the file has any more of it. */
  fill(shelf: Shelf): boolean {
    while (shelf.peek() === undefined) {
      if (shelf.complete) return false;
      this.#refill(shelf);
    }
    return true;
  }

  load(entry: Entry): Snapshot | undefined {
    return entry.snapshot ?? this.#source.load(entry.seq);
  }

  clear(): void {
    for (const queue of this.#queues.keys()) this.touched.add(queue);
    this.#entries.clear();
    this.#queues = new Map();
    this.#count = 0;
    this.#bytes = 0;
  }

  /** At the end of the shelf's row. */
  #line(seq: number, at: At, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const entry = this.make(seq, at, revision, nowMs);
    this.#count++;
    this.weigh(entry, snapshot);
    entry.shelf.append(entry);
    this.#activate(entry.shelf);
  }

  /** Never by more than its room, but by one. */
  #refill(shelf: Shelf): void {
    const isFull = this.#count >= this.#sizes.entries || this.#bytes >= this.#sizes.bytes;
    if (isFull && shelf.peek() !== undefined) return;
    if (isFull) this.#makeRoom(shelf);
    const limit = Math.max(1, Math.min(this.#sizes.entries - this.#count, this.#sizes.refillBy));
    this.refills++;
    let read = 0;
    for (const snapshot of this.#source.readyAfter(shelf, shelf.filledTo, limit)) {
      read++;
      const seq = this.#source.seqOf(snapshot);
      if (this.#entries.has(seq)) shelf.filledTo = seq;
      else this.#line(seq, shelf, snapshot.head.revision, snapshot.submission.acceptedAtMs, snapshot);
      if (this.#bytes >= this.#sizes.bytes) return;
    }
    if (read < limit) shelf.complete = true;
  }

  /** The fullest other shelf gives up half of what it has. */
  #makeRoom(wanting: Shelf): void {
    let fullest: Shelf | undefined;
    for (const of of this.#queues.values()) {
      for (const active of of.active) {
        for (const shelf of active) {
          if (shelf !== wanting && shelf.size > (fullest?.size ?? 0)) fullest = shelf;
        }
      }
    }
    if (fullest !== undefined) this.#dropFrom(fullest.dropNewer());
    if (this.#count >= this.#sizes.entries && fullest !== undefined) this.#giveUp(fullest);
  }

  #giveUp(shelf: Shelf): void {
    this.#dropFrom(shelf.dropAll());
    this.#activate(shelf);
  }

  #dropFrom(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.place === 'shelf') this.forget(entry);
  }

  #activate(shelf: Shelf): void {
    this.touched.add(shelf.queue);
    this.#shelvesOf(shelf.queue).active[shelf.priority]?.add(shelf);
  }

  #shelvesOf(queue: QueueName): QueueShelves {
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

  #shelf({ queue, priority, kind }: At): Shelf {
    const of = this.#shelvesOf(queue);
    const byKind = of.byKind[priority] as Map<number, Shelf>;
    let shelf = byKind.get(kind.id);
    if (shelf === undefined) {
      shelf = new Shelf(queue, priority, kind, of.discovered);
      byKind.set(kind.id, shelf);
    }
    return shelf;
  }

  /** At the first receive of a queue: which kinds of it the file has ready tasks of. */
  #discover(queue: QueueName): QueueShelves {
    const of = this.#shelvesOf(queue);
    if (of.discovered) return of;
    for (const priority of priorities) {
      for (const kind of this.#source.kinds(queue, priority)) {
        this.#activate(this.#shelf({ queue, priority, kind }));
      }
    }
    of.discovered = true;
    return of;
  }
}
