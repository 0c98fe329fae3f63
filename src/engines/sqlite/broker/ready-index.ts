import { timing } from '../../../core/limits.ts';
import { type Priority, priorities } from '../../../core/priority.ts';
import type { TypeRoom } from '../../../core/type-room.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { InternedQueue, InternedTaskType } from '../rows/interned-names.ts';
import { ready, running } from '../rows/rows.ts';
import { InFlight } from './in-flight.ts';
import { ListsInTurn } from './lists-in-turn.ts';
import { type ListKey, ReadyCache, type ReadyCacheSizes, type ReadyCacheSource } from './ready-cache.ts';
import type { ReadyEntry } from './ready-list.ts';

export interface ReceiveRoom {
  readonly tasks: number;
  readonly bytes: number;
  /** The room by task type; undefined if no type has a limit of its own. */
  readonly ofType?: TypeRoom | undefined;
}

/** An entry of the ready index that a receive call took, with a snapshot of its task as in the file. */
export interface TakenEntry {
  readonly entry: ReadyEntry;
  readonly snapshot: Snapshot;
}

/** The queues and the task types that a receive call accepts. */
export interface ReceiveFilter {
  readonly queues: readonly InternedQueue[];
  accepts(taskType: InternedTaskType): boolean;
}

/** A running task whose lease has expired, as read from the file. */
export interface ExpiredLeaseRow extends ListKey {
  readonly seq: number;
}

/**
 * The progress of one receive call through the ready index: its filter, the entries taken so far, and the room that is
 * left in tasks and in bytes.
 */
interface TakeProgress {
  readonly filter: ReceiveFilter;
  readonly nowMs: number;
  readonly taken: TakenEntry[];
  tasksLeft: number;
  bytesLeft: number;
  readonly typeRoom: TypeRoom | undefined;
}

const visibilityTimeoutMs = timing.leaseMs + timing.clockGuardMs;

/**
 * The visible and the in-flight dispatch messages of this process. The file is the source of truth: the whole index can
 * be dropped at any moment, and is then read from the file again.
 */
export class ReadyIndex {
  readonly #cache: ReadyCache;
  readonly #inFlight = new InFlight();
  #expired: ReadyEntry[] = [];
  #receipts = 0;

  constructor(source: ReadyCacheSource, sizes: ReadyCacheSizes) {
    this.#cache = new ReadyCache(source, sizes);
  }

  get refills(): number {
    return this.#cache.refills;
  }

  /**
   * Returns the task types of each queue of which a dispatch message became visible since the last call of this method.
   */
  takeChanged(): ReadonlyMap<InternedQueue, ReadonlySet<InternedTaskType>> {
    return this.#cache.takeChanged();
  }

  /** True if a receive call may find a visible dispatch message of this type in the queue. */
  mayDeliver(queue: InternedQueue, taskType: InternedTaskType): boolean {
    const isExpired = ({ list, deliveryStatus }: ReadyEntry): boolean =>
      list.queue === queue && list.taskType === taskType && deliveryStatus === 'running';
    return this.#cache.mayHaveVisible(queue, taskType) || this.#expired.some(isExpired);
  }

  entry(seq: number): ReadyEntry | undefined {
    return this.#cache.entry(seq);
  }

  /**
   * Adds a queue that has no tasks in the file yet, so that no receive call reads the queue's task types from the file.
   */
  addEmptyQueue(queue: InternedQueue): void {
    this.#cache.addEmptyQueue(queue);
  }

  /** Records that a task is ready and dispatchable, as its row in the file says. */
  setReady(seq: number, key: ListKey, revision: number, nowMs: number, snapshot?: Snapshot): void {
    const entry = this.entry(seq);
    if (entry === undefined) {
      this.#cache.admit(seq, key, revision, nowMs, snapshot);
      return;
    }
    const wasReady = entry.taskState === ready;
    entry.revision = revision;
    entry.taskState = ready;
    if (entry.deliveryStatus === 'listed') this.#cache.setSnapshot(entry, undefined);
    // A dispatch message that is in flight stays in flight if its task was already ready before this change.
    else if (!wasReady || entry.deliveryStatus !== 'inFlight') this.#resend(entry, nowMs);
  }

  /** Adds a new task that was claimed in the commit that accepted it. */
  addRunning(seq: number, key: ListKey, revision: number, leaseEndAtMs: number | undefined): void {
    this.#cache.create(seq, key, revision, 0).deliveryStatus = 'running';
    this.setRunning(seq, revision, leaseEndAtMs);
  }

  /** Sends a ready task's dispatch message again. A message that is in flight stays in flight. */
  send(seq: number, key: ListKey, revision: number, nowMs: number): void {
    if (this.entry(seq)?.deliveryStatus !== 'inFlight') this.setReady(seq, key, revision, nowMs);
  }

  /** Records that a task runs: its dispatch message stays hidden until the task's lease expires. */
  setRunning(seq: number, revision: number, leaseEndAtMs: number | undefined): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#removeFromLists(entry);
    entry.deliveryStatus = 'running';
    entry.taskState = running;
    entry.revision = revision;
    entry.leaseExpiredAtMs = (leaseEndAtMs ?? 0) + timing.clockGuardMs;
  }

  /** Removes a task from the ready index, because it has ended, waits for a time, or is not the first of its lane. */
  remove(seq: number): void {
    const entry = this.entry(seq);
    if (entry === undefined) return;
    this.#inFlight.remove(entry);
    this.#cache.remove(entry);
  }

  /**
   * Takes as many visible entries of the ready index as a receive call has room for. Each of them is in flight from now
   * on.
   */
  take(filter: ReceiveFilter, room: ReceiveRoom, nowMs: number, order: readonly Priority[]): TakenEntry[] {
    const { tasks: tasksLeft, bytes: bytesLeft, ofType: typeRoom } = room;
    const progress: TakeProgress = { filter, nowMs, taken: [], tasksLeft, bytesLeft, typeRoom };
    if (room.tasks <= 0 || room.bytes <= 0) return progress.taken;
    this.#takeExpired(progress);
    for (const priority of order) {
      if (!this.#takeOfPriority(priorities.indexOf(priority), progress)) break;
    }
    return progress.taken;
  }

  /** Makes the tasks of the given rows, whose lease has expired, the only running tasks that are visible. */
  setExpired(rows: readonly ExpiredLeaseRow[]): void {
    this.#expired = [];
    for (const row of rows) {
      const entry = this.#entryOf(row);
      if (entry.deliveryStatus !== 'running') continue;
      this.#expired.push(entry);
      this.#cache.markChanged(row);
    }
  }

  /** Returns up to `limit` of the given running tasks that no worker has received. Their visibility does not change. */
  expiredUnreceived(rows: readonly ExpiredLeaseRow[], limit: number): TakenEntry[] {
    const unreceived: TakenEntry[] = [];
    for (const row of rows) {
      if (unreceived.length >= limit) break;
      const entry = this.#entryOf(row);
      const snapshot = entry.deliveryStatus === 'running' ? this.#cache.load(entry) : undefined;
      if (snapshot !== undefined) unreceived.push({ entry, snapshot });
    }
    return unreceived;
  }

  /** Returns the ready-index entry of a receipt, or undefined if the receipt is stale. */
  entryOfReceipt(seq: number, receipt: number, nowMs: number): ReadyEntry | undefined {
    const entry = this.entry(seq);
    if (entry === undefined || entry.receipt !== receipt || entry.deliveryStatus === 'listed')
      return undefined;
    const untilMs = entry.deliveryStatus === 'inFlight' ? entry.hiddenUntilMs : entry.leaseExpiredAtMs;
    return untilMs > nowMs ? entry : undefined;
  }

  /** Hides a received dispatch message for `ms` milliseconds from now on, or makes it visible at once if `ms` is 0. */
  hide(entry: ReadyEntry, ms: number, nowMs: number): void {
    // A running task stays hidden at least until its lease expires.
    if (entry.deliveryStatus === 'running' && nowMs + ms <= entry.leaseExpiredAtMs) return;
    if (ms <= 0) this.#putBack(entry);
    else this.#inFlight.hide(entry, nowMs + ms);
  }

  /**
   * Deletes a dispatch message. If its task is still ready, a new message replaces the deleted one, because each ready
   * task must have a message.
   */
  delete(entry: ReadyEntry, nowMs: number): void {
    if (entry.taskState === ready) this.#resend(entry, nowMs);
  }

  /** Makes the dispatch messages visible whose visibility timeout has ended. */
  showVisible(nowMs: number): void {
    for (const entry of this.#inFlight.takeVisible(nowMs)) {
      // A delivery that was hidden twice until the same time is in this list twice. Its second occurrence is skipped:
      // the entry is visible already, or was evicted.
      if (entry.deliveryStatus === 'inFlight') this.#putBack(entry);
    }
  }

  /**
   * Returns the earliest time in ms at which a hidden dispatch message becomes visible, or undefined if none is hidden.
   */
  nextVisibleMs(): number | undefined {
    return this.#inFlight.nextVisibleMs();
  }

  /**
   * Drops all entries of the ready index. They are read from the file again, and all earlier receipt handles become
   * stale.
   */
  clear(): void {
    this.#cache.clear();
    this.#inFlight.clear();
    this.#expired = [];
  }

  /**
   * Takes visible tasks of one priority for a receive call. The queues take turns, beginning with the first one; the
   * tasks of a queue are taken oldest first. Returns false once the call has no more room.
   */
  #takeOfPriority(priority: number, progress: TakeProgress): boolean {
    const { filter, nowMs, typeRoom } = progress;
    const lists = new ListsInTurn(typeRoom);
    for (const queue of filter.queues)
      lists.addQueue(this.#cache.nonEmptyLists(queue, priority, filter.accepts, typeRoom));
    for (let entry = lists.next(); entry !== undefined; entry = lists.next()) {
      if (progress.tasksLeft <= 0) return false;
      const snapshot = this.#cache.load(entry);
      if (snapshot === undefined || snapshot.submission.expiresAtMs <= nowMs) this.#cache.remove(entry);
      else if (this.#takeOne(entry, snapshot, progress)) lists.taken();
      else return false;
      this.#cache.fill(entry.list);
    }
    return true;
  }

  #takeExpired(progress: TakeProgress): void {
    if (this.#expired.length === 0) return;
    const { filter, nowMs, typeRoom } = progress;
    const kept: ReadyEntry[] = [];
    for (const entry of this.#expired) {
      if (entry.deliveryStatus !== 'running') continue;
      const { queue, taskType } = entry.list;
      const isWanted =
        filter.queues.includes(queue) && filter.accepts(taskType) && typeRoom?.has(taskType.type) !== false;
      const snapshot = isWanted ? this.#cache.load(entry) : undefined;
      if (!isWanted) kept.push(entry);
      // Drops a task that was purged, and a task whose lease was renewed, since the expired leases were read from the
      // file.
      else if (
        snapshot !== undefined &&
        isLeaseExpired(snapshot, nowMs) &&
        !this.#takeOne(entry, snapshot, progress)
      ) {
        kept.push(entry);
      }
    }
    this.#expired = kept;
  }

  /**
   * Takes one task for a receive call. Returns false if the call has no room for the task. The first task of a call may
   * be larger than the call's room in bytes.
   */
  #takeOne(entry: ReadyEntry, snapshot: Snapshot, progress: TakeProgress): boolean {
    const bytes = snapshot.submission.spec.length;
    if (progress.tasksLeft <= 0 || (progress.taken.length > 0 && bytes > progress.bytesLeft)) return false;
    if (entry.deliveryStatus === 'listed') entry.list.shift(entry);
    this.#removeFromLists(entry);
    entry.receipt = ++this.#receipts;
    entry.receiveCount++;
    this.#inFlight.receive(entry, progress.nowMs + visibilityTimeoutMs);
    progress.tasksLeft--;
    progress.bytesLeft -= bytes;
    progress.typeRoom?.use(entry.list.taskType.type);
    progress.taken.push({ entry, snapshot });
    return true;
  }

  #removeFromLists(entry: ReadyEntry): void {
    this.#inFlight.remove(entry);
    this.#cache.removeFromList(entry);
  }

  #putBack(entry: ReadyEntry): void {
    this.#inFlight.remove(entry);
    if (entry.taskState !== running) {
      this.#cache.putBack(entry);
      return;
    }
    entry.deliveryStatus = 'running';
    // The task's lease may have expired while its message was in flight. The message then need not wait for the next
    // read of expired leases.
    this.#expired.push(entry);
    this.#cache.markChanged(entry.list);
  }

  #resend(entry: ReadyEntry, nowMs: number): void {
    this.#inFlight.remove(entry);
    entry.receiveCount = 0;
    entry.sentAtMs = nowMs;
    entry.receipt = 0;
    this.#cache.putBack(entry);
  }

  #entryOf(row: ExpiredLeaseRow): ReadyEntry {
    const existing = this.entry(row.seq);
    if (existing !== undefined) return existing;
    const entry = this.#cache.create(row.seq, row, 0, 0);
    entry.deliveryStatus = 'running';
    entry.taskState = running;
    return entry;
  }
}

function isLeaseExpired({ head }: Snapshot, nowMs: number): boolean {
  return head.state === 'running' && (head.leaseEndAtMs ?? 0) + timing.clockGuardMs <= nowMs;
}
