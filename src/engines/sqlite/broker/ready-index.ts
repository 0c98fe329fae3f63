import { timing } from '../../../core/limits.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { Kind, QueueName } from '../rows/interned-names.ts';
import { ready, running } from '../rows/rows.ts';
import { InFlight } from './in-flight.ts';
import { type At, ReadyCache, type ReadyCacheSizes, type ReadyCacheSource } from './ready-cache.ts';
import type { ReadyEntry, ReadyList } from './ready-list.ts';

export interface Room {
  readonly tasks: number;
  readonly bytes: number;
}

/** A bell that is given, with its task as it stands. */
export interface Given {
  readonly entry: ReadyEntry;
  readonly snapshot: Snapshot;
}

/** What is asked for: queues, and which kinds of task. */
export interface Asked {
  readonly queues: readonly QueueName[];
  wanted(kind: Kind): boolean;
}

/** A running task of which the file says that its lease is spent. */
export interface ExpiredLeaseRow extends At {
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
export class ReadyIndex {
  readonly #cache: ReadyCache;
  readonly #inFlight = new InFlight();
  #spent: ReadyEntry[] = [];
  #receipts = 0;

  constructor(source: ReadyCacheSource, sizes: ReadyCacheSizes) {
    this.#cache = new ReadyCache(source, sizes);
  }

  get refills(): number {
    return this.#cache.refills;
  }

  /** Queues in which a bell became audible since somebody last looked. */
  get changedQueues(): Set<QueueName> {
    return this.#cache.changedQueues;
  }

  entry(seq: number): ReadyEntry | undefined {
    return this.#cache.entry(seq);
  }

  /** The queue has no rows yet, so that there is nothing to look up in the file. */
  begin(queue: QueueName): void {
    this.#cache.begin(queue);
  }

  /** The file's row says that the task is ready and has a bell. */
  ready(seq: number, at: At, revision: number, nowMs: number, snapshot?: Snapshot): void {
    const entry = this.entry(seq);
    if (entry === undefined) {
      this.#cache.admit(seq, at, revision, nowMs, snapshot);
      return;
    }
    const wasReady = entry.state === ready;
    entry.revision = revision;
    entry.state = ready;
    if (entry.place === 'listed') this.#cache.setSnapshot(entry, undefined);
    // Whoever holds the bell of a task that was ready all along still does.
    else if (!wasReady || entry.place !== 'inFlight') this.#resend(entry, nowMs);
  }

  /** A new task that was claimed as it was accepted. */
  claimed(seq: number, at: At, revision: number, leaseEndAtMs: number | undefined): void {
    this.#cache.make(seq, at, revision, 0).place = 'running';
    this.running(seq, revision, leaseEndAtMs);
  }

  /** Somebody rings a ready task: whoever holds its bell still does. */
  send(seq: number, at: At, revision: number, nowMs: number): void {
    if (this.entry(seq)?.place !== 'inFlight') this.ready(seq, at, revision, nowMs);
  }

  /** The task runs: its lease's end in the file is its timer now. */
  running(seq: number, revision: number, leaseEndAtMs: number | undefined): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#takeOut(entry);
    entry.place = 'running';
    entry.state = running;
    entry.revision = revision;
    entry.leaseExpiredAtMs = (leaseEndAtMs ?? 0) + timing.clockGuardMs;
  }

  /** It has ended, waits for a time, or is not the lowest of its lane. */
  gone(seq: number): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#inFlight.drop(entry);
    this.#cache.forget(entry);
  }

  /** Bells as fit into the room, each held from now on, with its task as it stands. */
  take(asked: Asked, room: Room, nowMs: number, fromLowest: boolean): Given[] {
    const answer: Answer = { asked, nowMs, given: [], tasks: room.tasks, bytes: room.bytes };
    if (room.tasks <= 0 || room.bytes <= 0) return answer.given;
    this.#giveExpired(answer);
    for (const priority of fromLowest ? lowestFirst : strict) {
      if (!this.#giveOf(priority, answer)) break;
    }
    return answer.given;
  }

  /** Running tasks whose lease is spent, by the file. Their bells are audible until the next look. */
  spent(rows: readonly ExpiredLeaseRow[]): void {
    this.#spent = [];
    for (const row of rows) {
      const entry = this.#entryOf(row);
      if (entry.place !== 'running') continue;
      this.#spent.push(entry);
      this.changedQueues.add(row.queue);
    }
  }

  /** Those of these bells of running tasks that nobody holds; they are looked at, not received. */
  unheld(rows: readonly ExpiredLeaseRow[], limit: number): Given[] {
    const unheld: Given[] = [];
    for (const row of rows) {
      if (unheld.length >= limit) break;
      const entry = this.#entryOf(row);
      const snapshot = entry.place === 'running' ? this.#cache.load(entry) : undefined;
      if (snapshot !== undefined) unheld.push({ entry, snapshot });
    }
    return unheld;
  }

  /** Whoever holds this receipt; undefined: it is stale. */
  holder(seq: number, receipt: number, nowMs: number): ReadyEntry | undefined {
    const entry = this.entry(seq);
    if (entry === undefined || entry.receipt !== receipt || entry.place === 'listed') return undefined;
    const untilMs = entry.place === 'inFlight' ? entry.hiddenUntilMs : entry.leaseExpiredAtMs;
    return untilMs > nowMs ? entry : undefined;
  }

  hide(entry: ReadyEntry, ms: number, nowMs: number): void {
    // The lease's end is a running task's timer, whatever a hider says who wants less.
    if (entry.place === 'running' && nowMs + ms <= entry.leaseExpiredAtMs) return;
    if (ms <= 0) this.#putBack(entry);
    else this.#inFlight.hide(entry, nowMs + ms);
  }

  /** A bell whose task may be worked on stays: it is heard again, as if rung anew. */
  delete(entry: ReadyEntry, nowMs: number): void {
    if (entry.state === ready) this.#resend(entry, nowMs);
  }

  /** Bells whose time has come are audible again. */
  wake(nowMs: number): void {
    for (const entry of this.#inFlight.ripe(nowMs)) {
      // Hidden twice until the same moment, or given up meanwhile for want of room.
      if (entry.place === 'inFlight') this.#putBack(entry);
    }
  }

  nextWakeMs(): number | undefined {
    return this.#inFlight.nextMs();
  }

  /** Everything is looked up in the file again; receipts of before are stale. */
  forget(): void {
    this.#cache.clear();
    this.#inFlight.clear();
    this.#spent = [];
  }

  /** False: no more room. */
  #giveOf(priority: number, answer: Answer): boolean {
    const { asked, nowMs } = answer;
    const lists = asked.queues.flatMap((queue) => this.#cache.visible(queue, priority, asked.wanted));
    for (let entry = first(lists); entry !== undefined; entry = first(lists)) {
      if (answer.tasks <= 0) return false;
      const snapshot = this.#cache.load(entry);
      if (snapshot === undefined || snapshot.submission.expiresAtMs <= nowMs) this.#cache.forget(entry);
      else if (!this.#give(entry, snapshot, answer)) return false;
      this.#cache.fill(entry.list);
    }
    return true;
  }

  #giveExpired(answer: Answer): void {
    if (this.#spent.length === 0) return;
    const { asked, nowMs } = answer;
    const kept: ReadyEntry[] = [];
    for (const entry of this.#spent) {
      if (entry.place !== 'running') continue;
      const isWanted = asked.queues.includes(entry.list.queue) && asked.wanted(entry.list.kind);
      const snapshot = isWanted ? this.#cache.load(entry) : undefined;
      if (!isWanted) kept.push(entry);
      // Undefined or renewed: it was purged, or a heartbeat came since the look.
      else if (
        snapshot !== undefined &&
        isLeaseExpired(snapshot, nowMs) &&
        !this.#give(entry, snapshot, answer)
      ) {
        kept.push(entry);
      }
    }
    this.#spent = kept;
  }

  /** False: it does not fit. One bell is given whatever its size. */
  #give(entry: ReadyEntry, snapshot: Snapshot, answer: Answer): boolean {
    const bytes = snapshot.submission.spec.length;
    if (answer.tasks <= 0 || (answer.given.length > 0 && bytes > answer.bytes)) return false;
    if (entry.place === 'listed') entry.list.shift(entry);
    this.#takeOut(entry);
    entry.receipt = ++this.#receipts;
    entry.receiveCount++;
    this.#inFlight.receive(entry, answer.nowMs + holdMs);
    answer.tasks--;
    answer.bytes -= bytes;
    answer.given.push({ entry, snapshot });
    return true;
  }

  #takeOut(entry: ReadyEntry): void {
    this.#inFlight.drop(entry);
    this.#cache.takeOut(entry);
  }

  #putBack(entry: ReadyEntry): void {
    this.#inFlight.drop(entry);
    if (entry.state !== running) {
      this.#cache.putBack(entry);
      return;
    }
    entry.place = 'running';
    // Of a lease that was spent while somebody held its bell, the next look would be late.
    this.#spent.push(entry);
    this.changedQueues.add(entry.list.queue);
  }

  #resend(entry: ReadyEntry, nowMs: number): void {
    this.#inFlight.drop(entry);
    entry.receiveCount = 0;
    entry.sentAtMs = nowMs;
    entry.receipt = 0;
    this.#cache.putBack(entry);
  }

  #entryOf(row: ExpiredLeaseRow): ReadyEntry {
    const known = this.entry(row.seq);
    if (known !== undefined) return known;
    const entry = this.#cache.make(row.seq, row, 0, 0);
    entry.place = 'running';
    entry.state = running;
    return entry;
  }
}

function isLeaseExpired({ head }: Snapshot, nowMs: number): boolean {
  return head.state === 'running' && (head.leaseEndAtMs ?? 0) + timing.clockGuardMs <= nowMs;
}

/** The oldest of what is in memory. A shelf that had to make room for another one waits for the next receive. */
function first(lists: readonly ReadyList[]): ReadyEntry | undefined {
  let oldest: ReadyEntry | undefined;
  for (const list of lists) {
    const entry = list.peek();
    if (entry !== undefined && (oldest === undefined || entry.seq < oldest.seq)) oldest = entry;
  }
  return oldest;
}
