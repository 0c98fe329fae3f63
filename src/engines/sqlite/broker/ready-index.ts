import { timing } from '../../../core/limits.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { Kind, QueueName } from '../rows/interned-names.ts';
import { ready, running } from '../rows/rows.ts';
import { Held } from './in-flight.ts';
import { type At, type RingSizes, type RingSource, Window } from './ready-cache.ts';
import type { Entry, Shelf } from './ready-list.ts';

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

/** A running task of which the file says that its lease is spent. */
export interface SpentRow extends At {
  readonly seq: number;
}

/** Whom an answer is made for, and how far it has come. */
interface Answer {
  readonly asked: Asked;
  readonly nowMs: number;
  readonly given: Given[];
  tasks: number;
  bytes: number;
}

const holdMs = timing.leaseMs + timing.clockGuardMs;
const strict = [0, 1, 2];
const lowestFirst = [2, 1, 0];

/**
 * The audible and the held bells of this process. The file is the truth: everything here can be forgotten at any
 * moment, and is then looked up again.
 */
export class ReadyRing {
  readonly #window: Window;
  readonly #held = new Held();
  #spent: Entry[] = [];
  #receipts = 0;

  constructor(source: RingSource, sizes: RingSizes) {
    this.#window = new Window(source, sizes);
  }

  get refills(): number {
    return this.#window.refills;
  }

  /** Queues in which a bell became audible since somebody last looked. */
  get touched(): Set<QueueName> {
    return this.#window.touched;
  }

  entry(seq: number): Entry | undefined {
    return this.#window.entry(seq);
  }

  /** The queue has no rows yet, so that there is nothing to look up in the file. */
  begin(queue: QueueName): void {
    this.#window.begin(queue);
  }

  /** The file's row says that the task is ready and has a bell. */
  ready(seq: number, at: At, revision: number, nowMs: number, snapshot?: Snapshot): void {
    const entry = this.entry(seq);
    if (entry === undefined) {
      this.#window.admit(seq, at, revision, nowMs, snapshot);
      return;
    }
    const wasReady = entry.state === ready;
    entry.revision = revision;
    entry.state = ready;
    if (entry.place === 'shelf') this.#window.weigh(entry, undefined);
    // Whoever holds the bell of a task that was ready all along still does.
    else if (!wasReady || entry.place !== 'held') this.#ringAnew(entry, nowMs);
  }

  /** A new task that was claimed as it was accepted. */
  claimed(seq: number, at: At, revision: number, leaseEndAtMs: number | undefined): void {
    this.#window.make(seq, at, revision, 0).place = 'running';
    this.running(seq, revision, leaseEndAtMs);
  }

  /** Somebody rings a ready task: whoever holds its bell still does. */
  ring(seq: number, at: At, revision: number, nowMs: number): void {
    if (this.entry(seq)?.place !== 'held') this.ready(seq, at, revision, nowMs);
  }

  /** The task runs: its lease's end in the file is its timer now. */
  running(seq: number, revision: number, leaseEndAtMs: number | undefined): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#takeOut(entry);
    entry.place = 'running';
    entry.state = running;
    entry.revision = revision;
    entry.spentAtMs = (leaseEndAtMs ?? 0) + timing.clockGuardMs;
  }

  /** It has ended, waits for a time, or is not the lowest of its lane. */
  gone(seq: number): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#held.drop(entry);
    this.#window.forget(entry);
  }

  /** Bells as fit into the room, each held from now on, with its task as it stands. */
  take(asked: Asked, room: Room, nowMs: number, fromLowest: boolean): Given[] {
    const answer: Answer = { asked, nowMs, given: [], tasks: room.tasks, bytes: room.bytes };
    if (room.tasks <= 0 || room.bytes <= 0) return answer.given;
    this.#giveSpent(answer);
    for (const priority of fromLowest ? lowestFirst : strict) {
      if (!this.#giveOf(priority, answer)) break;
    }
    return answer.given;
  }

  /** Running tasks whose lease is spent, by the file. Their bells are audible until the next look. */
  spent(rows: readonly SpentRow[]): void {
    this.#spent = [];
    for (const row of rows) {
      const entry = this.#entryOf(row);
      if (entry.place !== 'running') continue;
      this.#spent.push(entry);
      this.touched.add(row.queue);
    }
  }

  /** Those of these bells of running tasks that nobody holds; they are looked at, not received. */
  unheld(rows: readonly SpentRow[], limit: number): Given[] {
    const unheld: Given[] = [];
    for (const row of rows) {
      if (unheld.length >= limit) break;
      const entry = this.#entryOf(row);
      const snapshot = entry.place === 'running' ? this.#window.load(entry) : undefined;
      if (snapshot !== undefined) unheld.push({ entry, snapshot });
    }
    return unheld;
  }

  /** Whoever holds this receipt; undefined: it is stale. */
  holder(seq: number, receipt: number, nowMs: number): Entry | undefined {
    const entry = this.entry(seq);
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
    this.#window.clear();
    this.#held.clear();
    this.#spent = [];
  }

  /** False: no more room. */
  #giveOf(priority: number, answer: Answer): boolean {
    const { asked, nowMs } = answer;
    const shelves = asked.queues.flatMap((queue) => this.#window.audible(queue, priority, asked.wanted));
    for (let entry = first(shelves); entry !== undefined; entry = first(shelves)) {
      if (answer.tasks <= 0) return false;
      const snapshot = this.#window.load(entry);
      if (snapshot === undefined || snapshot.submission.expiresAtMs <= nowMs) this.#window.forget(entry);
      else if (!this.#give(entry, snapshot, answer)) return false;
      this.#window.fill(entry.shelf);
    }
    return true;
  }

  #giveSpent(answer: Answer): void {
    if (this.#spent.length === 0) return;
    const { asked, nowMs } = answer;
    const kept: Entry[] = [];
    for (const entry of this.#spent) {
      if (entry.place !== 'running') continue;
      const isWanted = asked.queues.includes(entry.shelf.queue) && asked.wanted(entry.shelf.kind);
      const snapshot = isWanted ? this.#window.load(entry) : undefined;
      if (!isWanted) kept.push(entry);
      // Undefined or renewed: it was purged, or a heartbeat came since the look.
      else if (snapshot !== undefined && isSpent(snapshot, nowMs) && !this.#give(entry, snapshot, answer)) {
        kept.push(entry);
      }
    }
    this.#spent = kept;
  }

  /** False: it does not fit. One bell is given whatever its size. */
  #give(entry: Entry, snapshot: Snapshot, answer: Answer): boolean {
    const bytes = snapshot.submission.spec.length;
    if (answer.tasks <= 0 || (answer.given.length > 0 && bytes > answer.bytes)) return false;
    if (entry.place === 'shelf') entry.shelf.shift(entry);
    this.#takeOut(entry);
    entry.receipt = ++this.#receipts;
    entry.receives++;
    this.#held.receive(entry, answer.nowMs + holdMs);
    answer.tasks--;
    answer.bytes -= bytes;
    answer.given.push({ entry, snapshot });
    return true;
  }

  #takeOut(entry: Entry): void {
    this.#held.drop(entry);
    this.#window.takeOut(entry);
  }

  #putBack(entry: Entry): void {
    this.#held.drop(entry);
    if (entry.state !== running) {
      this.#window.shelve(entry);
      return;
    }
    entry.place = 'running';
    // Of a lease that was spent while somebody held its bell, the next look would be late.
    this.#spent.push(entry);
    this.touched.add(entry.shelf.queue);
  }

  #ringAnew(entry: Entry, nowMs: number): void {
    this.#held.drop(entry);
    entry.receives = 0;
    entry.sentAtMs = nowMs;
    entry.receipt = 0;
    this.#window.shelve(entry);
  }

  #entryOf(row: SpentRow): Entry {
    const known = this.entry(row.seq);
    if (known !== undefined) return known;
    const entry = this.#window.make(row.seq, row, 0, 0);
    entry.place = 'running';
    entry.state = running;
    return entry;
  }
}

function isSpent({ head }: Snapshot, nowMs: number): boolean {
  return head.state === 'running' && (head.leaseEndAtMs ?? 0) + timing.clockGuardMs <= nowMs;
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
