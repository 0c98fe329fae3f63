import type { TypeRoom } from '../../../core/type-room.ts';
import type { Snapshot } from '../../../ports/task-store.ts';
import type { InternedQueue, InternedTaskType } from '../rows/interned-names.ts';
import { ready } from '../rows/rows.ts';
import { type ReadyEntry, ReadyList } from './ready-list.ts';

export interface ReadyCacheSizes {
  /** The maximum number of visible ready tasks in memory, over all ready lists. */
  readonly entries: number;
  /** The maximum total size of the specs of ready tasks in memory, in bytes. */
  readonly bytes: number;
  /** A ready list with fewer tasks in memory than this is refilled from the file at the next receive call. */
  readonly refillBelow: number;
  /** The maximum number of tasks that one refill of a ready list reads from the file. */
  readonly refillBy: number;
}

/**
 * The default sizes of the cache of ready tasks. Benchmarks showed that fewer entries cost throughput, and that more
 * entries only cost memory.
 */
export const readyCacheSizes: ReadyCacheSizes = {
  entries: 12_000,
  bytes: 32 * 1_048_576,
  refillBelow: 5_000,
  refillBy: 2_000,
};

/** The reads of the store's file that the cache of ready tasks needs. */
export interface ReadyCacheSource {
  /**
   * Yields at most `limit` tasks of a ready list whose row number is above `after`, in the order of their row numbers.
   * Reads their rows one by one.
   */
  readyAfter(list: ReadyList, after: number, limit: number): Iterable<Snapshot>;
  seqOf(snapshot: Snapshot): number;
  /** Yields the task types that have ready tasks of a given queue and priority in the file. */
  taskTypes(queue: InternedQueue, priority: number): Iterable<InternedTaskType>;
  load(seq: number): Snapshot | undefined;
}

/** Identifies the ready list that a task belongs to: one list per queue, priority and task type. */
export interface ListKey {
  readonly queue: InternedQueue;
  readonly priority: number;
  readonly taskType: InternedTaskType;
}

interface QueueLists {
  /**
   * True once the task types of the queue's ready tasks were read from the file. A ready list that is created later has
   * no tasks in the file.
   */
  discovered: boolean;
  readonly byTaskType: Map<number, ReadyList>[];
  /** The ready lists that may have a visible task, by priority number. */
  readonly active: Set<ReadyList>[];
}

const priorities = [0, 1, 2];

/**
 * A bounded cache of the ready tasks in SQLite's file. It holds the oldest tasks of each ready list, refills a list
 * that runs low, and evicts tasks of one list when another list needs the room.
 */
export class ReadyCache {
  readonly #source: ReadyCacheSource;
  readonly #sizes: ReadyCacheSizes;
  readonly #entries = new Map<number, ReadyEntry>();
  #queues = new Map<InternedQueue, QueueLists>();
  #count = 0;
  #bytes = 0;
  refills = 0;
  /** The task types of each queue of which a dispatch message became visible since the last call of `takeChanged`. */
  #changed = new Map<InternedQueue, Set<InternedTaskType>>();

  constructor(source: ReadyCacheSource, sizes: ReadyCacheSizes) {
    this.#source = source;
    this.#sizes = sizes;
  }

  entry(seq: number): ReadyEntry | undefined {
    return this.#entries.get(seq);
  }

  markChanged({ queue, taskType }: Omit<ListKey, 'priority'>): void {
    const types = this.#changed.get(queue);
    if (types === undefined) this.#changed.set(queue, new Set([taskType]));
    else types.add(taskType);
  }

  /**
   * Returns the task types of each queue of which a dispatch message became visible since the last call of this method.
   */
  takeChanged(): ReadonlyMap<InternedQueue, ReadonlySet<InternedTaskType>> {
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Map();
    return changed;
  }

  /** True if a task of this type may be visible in the queue, in memory or in the file. */
  mayHaveVisible(queue: InternedQueue, taskType: InternedTaskType): boolean {
    const lists = this.#queues.get(queue);
    if (lists === undefined) return false;
    return lists.byTaskType.some((byTaskType) => {
      const list = byTaskType.get(taskType.id);
      return list !== undefined && (!list.complete || list.peek() !== undefined);
    });
  }

  /**
   * Adds a queue that has no tasks in the file yet, so that no receive call reads the queue's task types from the file.
   */
  addEmptyQueue(queue: InternedQueue): void {
    this.#listsOf(queue).discovered = true;
  }

  /**
   * Adds a task that became ready to the cache. If its ready list is incomplete or the cache is full, the task stays
   * only in the file.
   */
  admit(seq: number, key: ListKey, revision: number, nowMs: number, snapshot: Snapshot | undefined): void {
    const list = this.#listOf(key);
    if (seq <= list.filledTo) {
      this.putBack(this.create(seq, key, revision, nowMs));
    } else if (list.complete && this.#count < this.#sizes.entries && this.#bytes < this.#sizes.bytes) {
      this.#appendNew(seq, key, revision, nowMs, snapshot);
    } else {
      list.complete = false;
      this.#activate(list);
    }
  }

  /**
   * Makes an entry visible in its ready list again, without the task's snapshot: the next receive call reads the
   * snapshot from the file.
   */
  putBack(entry: ReadyEntry): void {
    entry.deliveryStatus = 'listed';
    this.#count++;
    entry.list.putBack(entry);
    this.#activate(entry.list);
    if (this.#count > this.#sizes.entries) this.#evict(entry.list);
  }

  /** Stops counting an entry of a ready list as visible, and drops its task's snapshot from memory. */
  removeFromList(entry: ReadyEntry): void {
    if (entry.deliveryStatus !== 'listed') return;
    this.#count--;
    this.setSnapshot(entry, undefined);
  }

  remove(entry: ReadyEntry): void {
    this.removeFromList(entry);
    entry.deliveryStatus = 'gone';
    this.#entries.delete(entry.seq);
  }

  create(seq: number, key: ListKey, revision: number, nowMs: number): ReadyEntry {
    const entry: ReadyEntry = {
      seq,
      list: this.#listOf(key),
      deliveryStatus: 'listed',
      snapshot: undefined,
      revision,
      taskState: ready,
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

  /** Sets or drops the task snapshot of a cached entry, and updates the size of the cache in bytes. */
  setSnapshot(entry: ReadyEntry, snapshot: Snapshot | undefined): void {
    const bytes = snapshot?.submission.spec.length ?? 0;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.snapshot = snapshot;
  }

  /**
   * Returns the ready lists of a queue and a priority that have a visible task of a type that the receive call accepts
   * and has room for. A list of a full type is not read from the file.
   */
  nonEmptyLists(
    queue: InternedQueue,
    priority: number,
    accepts: (taskType: InternedTaskType) => boolean,
    typeRoom: TypeRoom | undefined,
  ): ReadyList[] {
    const lists: ReadyList[] = [];
    const active = this.#discoverTaskTypes(queue).active[priority] as Set<ReadyList>;
    for (const list of active) {
      if (!accepts(list.taskType)) continue;
      if (typeRoom !== undefined && this.#isEmptyOrFull(list, typeRoom)) continue;
      if (!list.complete && list.size < this.#sizes.refillBelow) this.#refill(list);
      if (this.fill(list)) lists.push(list);
      else if (list.complete) active.delete(list);
    }
    return lists;
  }

  /**
   * Returns true if a ready list has no task, or none of a type that the receive call has room for. An empty list does
   * not count as full: the caller of `receive` would start the call again each time when the type has room.
   */
  #isEmptyOrFull(list: ReadyList, typeRoom: TypeRoom): boolean {
    const isEmpty = list.complete && list.peek() === undefined;
    return isEmpty || !typeRoom.has(list.taskType.type);
  }

  /**
   * Refills a ready list from the file if it has no visible task in memory. Returns false if the file has no more tasks
   * of the list.
   */
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
    for (const { byTaskType } of this.#queues.values())
      for (const lists of byTaskType) for (const list of lists.values()) this.markChanged(list);
    this.#entries.clear();
    this.#queues = new Map();
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Appends a new entry at the end of its ready list. */
  #appendNew(
    seq: number,
    key: ListKey,
    revision: number,
    nowMs: number,
    snapshot: Snapshot | undefined,
  ): void {
    const entry = this.create(seq, key, revision, nowMs);
    this.#count++;
    this.setSnapshot(entry, snapshot);
    entry.list.append(entry);
    this.#activate(entry.list);
  }

  /** Reads the next tasks of a ready list from the file: as many as the cache has room for, but at least one. */
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
      else this.#appendNew(seq, list, snapshot.head.revision, snapshot.submission.acceptedAtMs, snapshot);
      if (this.#bytes >= this.#sizes.bytes) return;
    }
    if (read < limit) list.complete = true;
  }

  /** Makes room in the cache for a ready list that grows: evicts the newer half of the longest other list. */
  #makeRoom(growing: ReadyList): void {
    let fullest: ReadyList | undefined;
    for (const lists of this.#queues.values()) {
      for (const active of lists.active) {
        for (const list of active) {
          if (list !== growing && list.size > (fullest?.size ?? 0)) fullest = list;
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
    for (const entry of entries) if (entry.deliveryStatus === 'listed') this.remove(entry);
  }

  #activate(list: ReadyList): void {
    this.markChanged(list);
    this.#listsOf(list.queue).active[list.priority]?.add(list);
  }

  #listsOf(queue: InternedQueue): QueueLists {
    let lists = this.#queues.get(queue);
    if (lists === undefined) {
      lists = {
        discovered: false,
        byTaskType: priorities.map(() => new Map()),
        active: priorities.map(() => new Set()),
      };
      this.#queues.set(queue, lists);
    }
    return lists;
  }

  #listOf({ queue, priority, taskType }: ListKey): ReadyList {
    const lists = this.#listsOf(queue);
    const byTaskType = lists.byTaskType[priority] as Map<number, ReadyList>;
    let list = byTaskType.get(taskType.id);
    if (list === undefined) {
      list = new ReadyList(queue, priority, taskType, lists.discovered);
      byTaskType.set(taskType.id, list);
    }
    return list;
  }

  /** Reads from the file which task types have ready tasks in a queue, at the first receive call for the queue. */
  #discoverTaskTypes(queue: InternedQueue): QueueLists {
    const lists = this.#listsOf(queue);
    if (lists.discovered) return lists;
    for (const priority of priorities) {
      for (const taskType of this.#source.taskTypes(queue, priority)) {
        this.#activate(this.#listOf({ queue, priority, taskType }));
      }
    }
    lists.discovered = true;
    return lists;
  }
}
