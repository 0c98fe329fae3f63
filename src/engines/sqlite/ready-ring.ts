import { timing } from '../../core/limits.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { Held } from './held.ts';
import type { Kind, QueueName } from './names.ts';
import { ready, running } from './rows.ts';
import { type Entry, Shelf } from './shelf.ts';

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
  /** Ready tasks of a shelf above `after`, in order. */
  readyAfter(shelf: Shelf, after: number, limit: number): readonly Snapshot[];
  seqOf(snapshot: Snapshot): number;
  /** Kinds with ready tasks. */
  kinds(queue: QueueName, priority: number): Iterable<Kind>;
  load(seq: number): Snapshot | undefined;
}

export interface Room {
  readonly tasks: number;
  readonly bytes: number;
}

/** A bell that is given, with its task as it stands. */
export interface Given {
  readonly entry: Entry;
  readonly snapshot: Snapshot;
}

/** What is asked for: queues, and which kinds of task. */
export interface Asked {
  readonly queues: readonly QueueName[];
  wanted(kind: Kind): boolean;
}

interface QueueShelves {
  /** Kinds that the file had before were looked up: whatever shelf is new from now on has nothing in the file. */
  discovered: boolean;
  readonly byKind: Map<number, Shelf>[];
  /** Those that may have something to give. */
  readonly active: Set<Shelf>[];
}

export const holdMs = timing.leaseMs + timing.clockGuardMs;
const strict = [0, 1, 2];
const lowestFirst = [2, 1, 0];

/**
 * The audible and the held bells of this process. The file's ready index is the truth, and memory a window on its
 * beginning: what does not fit stays in the file, and everything can be forgotten at any moment.
 */
export class ReadyRing {
  readonly #source: RingSource;
  readonly #sizes: RingSizes;
  readonly #entries = new Map<number, Entry>();
  readonly #held = new Held();
  #queues = new Map<QueueName, QueueShelves>();
  #spent: Entry[] = [];
  #receipts = 0;
  #count = 0;
  #bytes = 0;
  refills = 0;
  /** Queues in which a bell became audible since somebody last looked. */
  readonly touched = new Set<QueueName>();

  constructor(source: RingSource, sizes: RingSizes) {
    this.#source = source;
    this.#sizes = sizes;
  }

  get count(): number {
    return this.#count;
  }

  entry(seq: number): Entry | undefined {
    return this.#entries.get(seq);
  }

  /** The queue has no rows yet, so that there is nothing to look up in the file. */
  begin(queue: QueueName): void {
    this.#shelvesOf(queue).discovered = true;
  }

  /** The file's row says that the task is ready and has a bell. */
  ready(
    seq: number,
    at: { queue: QueueName; priority: number; kind: Kind },
    revision: number,
    nowMs: number,
    snapshot?: Snapshot,
  ): void {
    this.touched.add(at.queue);
    const entry = this.#entries.get(seq);
    if (entry === undefined) {
      this.#admit(seq, this.#shelf(at.queue, at.priority, at.kind), revision, nowMs, snapshot);
      return;
    }
    const wasReady = entry.state === ready;
    entry.revision = revision;
    entry.state = ready;
    if (entry.place === 'shelf') this.#weigh(entry, undefined);
    // Whoever holds the bell of a task that was ready all along still does.
    else if (!wasReady || entry.place !== 'held') this.#ringAnew(entry, nowMs);
  }

  /** Somebody rings a ready task: whoever holds its bell still does. */
  ring(
    seq: number,
    at: { queue: QueueName; priority: number; kind: Kind },
    revision: number,
    nowMs: number,
  ): void {
    if (this.#entries.get(seq)?.place !== 'held') this.ready(seq, at, revision, nowMs);
  }

  /** The task runs: its lease's end in the file is its timer now. */
  running(seq: number, revision: number, leaseEndAtMs: number | undefined): void {
    const entry = this.#entries.get(seq);
    if (entry === undefined) return;
    this.#takeOut(entry);
    entry.place = 'running';
    entry.state = running;
    entry.revision = revision;
    entry.spentAtMs = (leaseEndAtMs ?? 0) + timing.clockGuardMs;
  }

  /** It has ended, waits for a time, or is not the lowest of its lane. */
  gone(seq: number): void {
    const entry = this.#entries.get(seq);
    if (entry !== undefined) this.#forgetEntry(entry);
  }

  /** Bells as fit into the room, each held from now on, with its task as it stands. */
  take(asked: Asked, room: Room, nowMs: number, fromLowest: boolean): Given[] {
    const taken: Given[] = [];
    if (room.tasks <= 0 || room.bytes <= 0) return taken;
    const left = { tasks: room.tasks, bytes: room.bytes };
    this.#takeSpent(asked, left, taken, nowMs);
    for (const priority of fromLowest ? lowestFirst : strict) {
      if (!this.#takeOf(asked, priority, left, taken, nowMs)) break;
    }
    return taken;
  }

  /** False: no more room. */
  #takeOf(
    asked: Asked,
    priority: number,
    left: { tasks: number; bytes: number },
    taken: Given[],
    nowMs: number,
  ): boolean {
    const shelves = this.#audible(asked, priority);
    for (let entry = first(shelves); entry !== undefined; entry = first(shelves)) {
      if (left.tasks <= 0) return false;
      const snapshot = this.#load(entry, nowMs);
      if (snapshot !== undefined && !this.#give(entry, snapshot, left, taken, nowMs)) return false;
      // The last one: there may be more in the file.
      this.#first(entry.shelf);
    }
    return true;
  }

  /** Running tasks whose lease is spent, by the file. Their bells are audible until the next look. */
  spent(rows: readonly { seq: number; queue: QueueName; priority: number; kind: Kind }[]): void {
    this.#spent = [];
    for (const row of rows) {
      const entry = this.#entryOfRunning(row);
      if (entry.place !== 'running') continue;
      this.#spent.push(entry);
      this.touched.add(row.queue);
    }
  }

  /** Those of these bells of running tasks that nobody holds; they are looked at, not received. */
  unheld(
    rows: readonly { seq: number; queue: QueueName; priority: number; kind: Kind }[],
    limit: number,
  ): Given[] {
    const unheld: Given[] = [];
    for (const row of rows) {
      if (unheld.length >= limit) break;
      const entry = this.#entryOfRunning(row);
      const snapshot = entry.place === 'running' ? this.#source.load(entry.seq) : undefined;
      if (snapshot !== undefined) unheld.push({ entry, snapshot });
    }
    return unheld;
  }

  /** Whoever holds this receipt; undefined: it is stale. */
  holder(seq: number, receipt: number, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(seq);
    if (entry === undefined || entry.receipt !== receipt || entry.place === 'shelf') return undefined;
    const untilMs = entry.place === 'held' ? entry.hiddenUntilMs : entry.spentAtMs;
    return untilMs > nowMs ? entry : undefined;
  }

  hide(entry: Entry, ms: number, nowMs: number): void {
    // The lease's end is a running task's timer, whatever a hider says who wants less.
    if (entry.place === 'running' && nowMs + ms <= entry.spentAtMs) return;
    if (ms <= 0) this.#putBack(entry);
    else this.#held.hide(entry, nowMs + ms);
  }

  /** A bell whose task may be worked on stays: it is heard again, as if rung anew. */
  silence(entry: Entry, nowMs: number): void {
    if (entry.state === ready) this.#ringAnew(entry, nowMs);
  }

  /** Bells whose time has come are audible again. */
  wake(nowMs: number): void {
    for (const entry of this.#held.ripe(nowMs)) {
      // Hidden twice until the same moment, or given up meanwhile for want of room.
      if (entry.place === 'held') this.#putBack(entry);
    }
  }

  nextWakeMs(): number | undefined {
    return this.#held.nextMs();
  }

  /** Everything is looked up in the file again; receipts of before are stale. */
  forget(): void {
    for (const queue of this.#queues.keys()) this.touched.add(queue);
    this.#entries.clear();
    this.#held.clear();
    this.#queues = new Map();
    this.#spent = [];
    this.#count = 0;
    this.#bytes = 0;
  }

  #audible(asked: Asked, priority: number): Shelf[] {
    const shelves: Shelf[] = [];
    for (const queue of asked.queues) {
      const of = this.#discover(queue);
      const active = of.active[priority] as Set<Shelf>;
      for (const shelf of active) {
        if (!asked.wanted(shelf.kind)) continue;
        if (!shelf.complete && shelf.size < this.#sizes.refillBelow) this.#refill(shelf);
        if (this.#first(shelf) !== undefined) shelves.push(shelf);
        else if (shelf.complete) active.delete(shelf);
      }
    }
    return shelves;
  }

  #first(shelf: Shelf): Entry | undefined {
    let first = shelf.peek();
    while (first === undefined && !shelf.complete) {
      this.#refill(shelf);
      first = shelf.peek();
    }
    return first;
  }

  /** False: it does not fit. One bell is given whatever its size. */
  #give(
    entry: Entry,
    snapshot: Snapshot,
    left: { tasks: number; bytes: number },
    taken: Given[],
    nowMs: number,
  ): boolean {
    const bytes = snapshot.submission.spec.length;
    if (left.tasks <= 0 || (taken.length > 0 && bytes > left.bytes)) return false;
    if (entry.place === 'shelf') entry.shelf.shift(entry);
    this.#hold(entry, nowMs);
    left.tasks--;
    left.bytes -= bytes;
    taken.push({ entry, snapshot });
    return true;
  }

  #takeSpent(asked: Asked, left: { tasks: number; bytes: number }, taken: Given[], nowMs: number): void {
    if (this.#spent.length === 0) return;
    const kept: Entry[] = [];
    for (const entry of this.#spent) {
      if (entry.place !== 'running') continue;
      if (!asked.queues.includes(entry.shelf.queue) || !asked.wanted(entry.shelf.kind)) kept.push(entry);
      else {
        const snapshot = this.#source.load(entry.seq);
        if (snapshot === undefined || snapshot.head.state !== 'running') continue;
        // A heartbeat came since the look.
        if ((snapshot.head.leaseEndAtMs ?? 0) + timing.clockGuardMs > nowMs) continue;
        if (!this.#give(entry, snapshot, left, taken, nowMs)) kept.push(entry);
      }
    }
    this.#spent = kept;
  }

  #load(entry: Entry, nowMs: number): Snapshot | undefined {
    const snapshot = entry.snapshot ?? this.#source.load(entry.seq);
    if (snapshot !== undefined && snapshot.submission.expiresAtMs > nowMs) return snapshot;
    this.#forgetEntry(entry);
    return undefined;
  }

  #hold(entry: Entry, nowMs: number): void {
    this.#takeOut(entry);
    entry.receipt = ++this.#receipts;
    entry.receives++;
    this.#held.receive(entry, nowMs + holdMs);
  }

  #putBack(entry: Entry): void {
    this.#held.drop(entry);
    if (entry.state !== running) this.#shelve(entry);
    else {
      entry.place = 'running';
      // Of a lease that was spent while somebody held its bell, the next look would be late.
      this.#spent.push(entry);
      this.touched.add(entry.shelf.queue);
    }
  }

  #ringAnew(entry: Entry, nowMs: number): void {
    this.#held.drop(entry);
    entry.receives = 0;
    entry.sentAtMs = nowMs;
    entry.receipt = 0;
    this.#shelve(entry);
  }

  /** Back below `filledTo`, without its task: that is read when it is received. */
  #shelve(entry: Entry): void {
    entry.place = 'shelf';
    this.#count++;
    entry.shelf.giveBack(entry);
    this.#activate(entry.shelf);
    if (this.#count > this.#sizes.entries) this.#giveUp(entry.shelf);
  }

  #admit(seq: number, shelf: Shelf, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    if (seq <= shelf.filledTo) {
      this.#shelve(this.#make(seq, shelf, revision, nowMs));
    } else if (shelf.complete && this.#count < this.#sizes.entries && this.#bytes < this.#sizes.bytes) {
      this.#line(seq, shelf, revision, nowMs, snapshot);
    } else {
      shelf.complete = false;
      this.#activate(shelf);
    }
  }

  /** At the end of the shelf's row. */
  #line(seq: number, shelf: Shelf, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const entry = this.#make(seq, shelf, revision, nowMs);
    this.#count++;
    this.#weigh(entry, snapshot);
    shelf.append(entry);
    this.#activate(shelf);
  }

  #make(seq: number, shelf: Shelf, revision: number, nowMs: number): Entry {
    const entry: Entry = {
      seq,
      shelf,
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

  #entryOfRunning(row: { seq: number; queue: QueueName; priority: number; kind: Kind }): Entry {
    const known = this.#entries.get(row.seq);
    if (known !== undefined) return known;
    const entry = this.#make(row.seq, this.#shelf(row.queue, row.priority, row.kind), 0, 0);
    entry.place = 'running';
    entry.state = running;
    return entry;
  }

  #weigh(entry: Entry, snapshot: Snapshot | undefined): void {
    const bytes = snapshot?.submission.spec.length ?? 0;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.snapshot = snapshot;
  }

  #takeOut(entry: Entry): void {
    if (entry.place === 'held') this.#held.drop(entry);
    if (entry.place !== 'shelf') return;
    this.#count--;
    this.#weigh(entry, undefined);
  }

  #forgetEntry(entry: Entry): void {
    this.#takeOut(entry);
    entry.place = 'gone';
    this.#entries.delete(entry.seq);
  }

  /** Never by more than its room. */
  #refill(shelf: Shelf): void {
    const empty = shelf.peek() === undefined;
    let room = this.#sizes.entries - this.#count;
    const full = room <= 0 || this.#bytes >= this.#sizes.bytes;
    if (full && !empty) return;
    if (full) {
      this.#makeRoom(shelf);
      room = Math.max(1, this.#sizes.entries - this.#count);
    }
    const limit = Math.min(room, this.#sizes.refillBy);
    this.refills++;
    let read = 0;
    for (const snapshot of this.#source.readyAfter(shelf, shelf.filledTo, limit)) {
      read++;
      const seq = this.#source.seqOf(snapshot);
      if (this.#entries.has(seq)) shelf.filledTo = seq;
      else this.#line(seq, shelf, snapshot.head.revision, snapshot.submission.acceptedAtMs, snapshot);
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
    for (const entry of entries) if (entry.place === 'shelf') this.#forgetEntry(entry);
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
        byKind: strict.map(() => new Map()),
        active: strict.map(() => new Set()),
      };
      this.#queues.set(queue, of);
    }
    return of;
  }

  #shelf(queue: QueueName, priority: number, kind: Kind): Shelf {
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
    for (const priority of strict) {
      for (const kind of this.#source.kinds(queue, priority))
        this.#activate(this.#shelf(queue, priority, kind));
    }
    of.discovered = true;
    return of;
  }
}

/** The oldest of what is in memory. A shelf that had to make room for another one waits for the next receive. */
function first(shelves: readonly Shelf[]): Entry | undefined {
  let oldest: Entry | undefined;
  for (const shelf of shelves) {
    const entry = shelf.peek();
    if (entry !== undefined && (oldest === undefined || entry.seq < oldest.seq)) oldest = entry;
  }
  return oldest;
}
