import type { DatabaseSync } from 'node:sqlite';
import type { QueueRef } from '../../../core/queue-ref.ts';

/** A queue with the number that stands for its name in rows (0 until its first task is written) and its task counts. */
export interface InternedQueue extends QueueRef {
  id: number;
  scheduled: number;
  ready: number;
  running: number;
  dead: number;
}

/** One version of a task type, with the number that stands for it in rows. */
export interface InternedTaskType {
  readonly id: number;
  readonly type: string;
  readonly version: number;
}

/**
 * The task states as users see them, indexed by their stored numbers. Lists and counts of tasks read only the column of
 * this number.
 */
export const states = ['scheduled', 'ready', 'running', 'succeeded', 'dead', 'cancelled'] as const;

function count(queue: InternedQueue, state: number, by: number): void {
  if (state === 0) queue.scheduled += by;
  else if (state === 1) queue.ready += by;
  else if (state === 2) queue.running += by;
  else if (state === 4) queue.dead += by;
}

/** The interned queues and task types of a store's file, and the number of tasks of each queue by state. */
export class InternedNames {
  readonly #db: DatabaseSync;
  readonly #byTenant = new Map<string, Map<string, InternedQueue>>();
  readonly #queueById = new Map<number, InternedQueue>();
  readonly #taskTypeById = new Map<number, InternedTaskType>();
  readonly #versionsOfType = new Map<string, Map<number, InternedTaskType>>();
  /** The queues whose task counts changed in the current commit batch. */
  readonly #changed = new Set<InternedQueue>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.reload();
  }

  /** Reads all queues, task counts and task types from the file again after a transaction was rolled back. */
  reload(): void {
    this.#changed.clear();
    for (const queue of this.#queueById.values())
      Object.assign(queue, { id: 0, scheduled: 0, ready: 0, running: 0, dead: 0 });
    this.#queueById.clear();
    this.#taskTypeById.clear();
    this.#versionsOfType.clear();
    for (const row of this.#db.prepare('SELECT * FROM queue').iterate()) {
      const queue = this.queue(row.tenant as string, row.name as string);
      queue.id = row.id as number;
      queue.scheduled = row.scheduled as number;
      queue.ready = row.ready as number;
      queue.running = row.running as number;
      queue.dead = row.dead as number;
      this.#queueById.set(queue.id, queue);
    }
    for (const row of this.#db.prepare('SELECT * FROM task_type').iterate()) {
      this.#addTaskType({
        id: row.id as number,
        type: row.type as string,
        version: row.version as number,
      });
    }
  }

  /**
   * Returns a queue that has or had tasks, or undefined. Adds no queue to memory, so that reads of unknown queues do
   * not fill the memory.
   */
  findQueue(tenant: string, name: string): InternedQueue | undefined {
    const queue = this.#byTenant.get(tenant)?.get(name);
    return queue === undefined || queue.id === 0 ? undefined : queue;
  }

  /** Returns the queue of this name, and adds it to memory if it has no tasks yet. */
  queue(tenant: string, name: string): InternedQueue {
    let ofTenant = this.#byTenant.get(tenant);
    if (ofTenant === undefined) {
      ofTenant = new Map();
      this.#byTenant.set(tenant, ofTenant);
    }
    let queue = ofTenant.get(name);
    if (queue === undefined) {
      queue = { tenant, queue: name, id: 0, scheduled: 0, ready: 0, running: 0, dead: 0 };
      ofTenant.set(name, queue);
    }
    return queue;
  }

  /** Returns the number of running tasks of all queues. */
  countRunning(): number {
    let count = 0;
    for (const { running } of this.#queueById.values()) count += running;
    return count;
  }

  /** Returns whether a queue and a task type have these numbers. */
  has(queue: number, taskType: number): boolean {
    return this.#queueById.has(queue) && this.#taskTypeById.has(taskType);
  }

  queueOf(id: number): InternedQueue {
    const queue = this.#queueById.get(id);
    if (queue === undefined) throw new RangeError(`no queue ${id}`);
    return queue;
  }

  taskTypeOf(id: number): InternedTaskType {
    const taskType = this.#taskTypeById.get(id);
    if (taskType === undefined) throw new RangeError(`no task type ${id}`);
    return taskType;
  }

  /** Writes a queue's row within a transaction. Returns true if the queue had no row before. */
  internQueue(queue: InternedQueue): boolean {
    if (queue.id !== 0) return false;
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO queue (tenant, name, scheduled, ready, running, dead) VALUES (?, ?, 0, 0, 0, 0)')
      .run(queue.tenant, queue.queue);
    queue.id = Number(lastInsertRowid);
    this.#queueById.set(queue.id, queue);
    return true;
  }

  /** Returns one version of a task type, and writes its row within a transaction if it has no row yet. */
  taskType(type: string, version: number): InternedTaskType {
    const known = this.#versionsOfType.get(type)?.get(version);
    if (known !== undefined) return known;
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO task_type (type, version) VALUES (?, ?)')
      .run(type, version);
    return this.#addTaskType({ id: Number(lastInsertRowid), type, version });
  }

  /**
   * Updates a queue's task counts for a task that was accepted (`from` is undefined), changed its state, or was purged
   * (`to` is undefined).
   */
  recordStateChange(queue: InternedQueue, from: number | undefined, to: number | undefined): void {
    if (from === to) return;
    if (from !== undefined) count(queue, from, -1);
    if (to !== undefined) count(queue, to, 1);
    this.#changed.add(queue);
  }

  /**
   * Writes the changed task counts of queues within a transaction, before its commit. Returns the number of rows
   * written.
   */
  writeCounts(): number {
    if (this.#changed.size === 0) return 0;
    const rows = this.#changed.size;
    for (const queue of this.#changed)
      this.#update.run(queue.scheduled, queue.ready, queue.running, queue.dead, queue.id);
    this.#changed.clear();
    return rows;
  }

  get #update() {
    this.#updateCounts ??= this.#db.prepare(
      'UPDATE queue SET scheduled = ?, ready = ?, running = ?, dead = ? WHERE id = ?',
    );
    return this.#updateCounts;
  }
  #updateCounts: ReturnType<DatabaseSync['prepare']> | undefined;

  #addTaskType(taskType: InternedTaskType): InternedTaskType {
    this.#taskTypeById.set(taskType.id, taskType);
    let versions = this.#versionsOfType.get(taskType.type);
    if (versions === undefined) {
      versions = new Map();
      this.#versionsOfType.set(taskType.type, versions);
    }
    versions.set(taskType.version, taskType);
    return taskType;
  }
}
