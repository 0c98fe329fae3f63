import type { DatabaseSync } from 'node:sqlite';
import type { QueueRef } from '../../../ports/task-store.ts';

/** A queue as rows name it: by a small number, 0 until its first task is written. Counts change with the commit. */
export interface QueueName extends QueueRef {
  id: number;
  scheduled: number;
  ready: number;
  running: number;
  dead: number;
}

/** A type of a version, which is what workers ask for. */
export interface Kind {
  readonly id: number;
  readonly type: string;
  readonly version: number;
}

/** A task's state as stored: as it is shown, so that lists and counts need no other column. */
export const states = ['scheduled', 'ready', 'running', 'succeeded', 'dead', 'cancelled'] as const;

function count(queue: QueueName, state: number, by: number): void {
  if (state === 0) queue.scheduled += by;
  else if (state === 1) queue.ready += by;
  else if (state === 2) queue.running += by;
  else if (state === 4) queue.dead += by;
}

/** The interned names of a file, and how many tasks each queue has in which state. */
export class Names {
  readonly #db: DatabaseSync;
  readonly #byTenant = new Map<string, Map<string, QueueName>>();
  readonly #queueById = new Map<number, QueueName>();
  readonly #kindById = new Map<number, Kind>();
  readonly #kindsOfType = new Map<string, Map<number, Kind>>();
  /** Queues whose counts this turn changed. */
  readonly #changed = new Set<QueueName>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.reload();
  }

  /** Takes everything from the file again, after a transaction was undone. */
  reload(): void {
    this.#changed.clear();
    for (const queue of this.#queueById.values())
      Object.assign(queue, { id: 0, scheduled: 0, ready: 0, running: 0, dead: 0 });
    this.#queueById.clear();
    this.#kindById.clear();
    this.#kindsOfType.clear();
    for (const row of this.#db.prepare('SELECT * FROM queue').iterate()) {
      const queue = this.queue(row.tenant as string, row.name as string);
      queue.id = row.id as number;
      queue.scheduled = row.scheduled as number;
      queue.ready = row.ready as number;
      queue.running = row.running as number;
      queue.dead = row.dead as number;
      this.#queueById.set(queue.id, queue);
    }
    for (const row of this.#db.prepare('SELECT * FROM kind').iterate()) {
      this.#addKind({
        id: row.id as number,
        type: row.type as string,
        version: row.version as number,
      });
    }
  }

  /** The queue, where it has or had tasks: whoever only asks must not fill the memory with names. */
  find(tenant: string, name: string): QueueName | undefined {
    const queue = this.#byTenant.get(tenant)?.get(name);
    return queue === undefined || queue.id === 0 ? undefined : queue;
  }

  /** The queue, also where it has no tasks yet. */
  queue(tenant: string, name: string): QueueName {
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

  queueOf(id: number): QueueName {
    const queue = this.#queueById.get(id);
    if (queue === undefined) throw new RangeError(`no queue ${id}`);
    return queue;
  }

  kindOf(id: number): Kind {
    const kind = this.#kindById.get(id);
    if (kind === undefined) throw new RangeError(`no kind ${id}`);
    return kind;
  }

  /** Kinds of a type that are known, by version. */
  kindsOf(type: string): Iterable<Kind> {
    return this.#kindsOfType.get(type)?.values() ?? [];
  }

  /** Within a transaction: gives the queue its number. True where it had none. */
  writeQueue(queue: QueueName): boolean {
    if (queue.id !== 0) return false;
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO queue (tenant, name, scheduled, ready, running, dead) VALUES (?, ?, 0, 0, 0, 0)')
      .run(queue.tenant, queue.queue);
    queue.id = Number(lastInsertRowid);
    this.#queueById.set(queue.id, queue);
    return true;
  }

  /** Within a transaction. */
  kind(type: string, version: number): Kind {
    const known = this.#kindsOfType.get(type)?.get(version);
    if (known !== undefined) return known;
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO kind (type, version) VALUES (?, ?)')
      .run(type, version);
    return this.#addKind({ id: Number(lastInsertRowid), type, version });
  }

  /** A task came into being (`from` undefined), changed its state, or was purged (`to` undefined). */
  moved(queue: QueueName, from: number | undefined, to: number | undefined): void {
    if (from === to) return;
    if (from !== undefined) count(queue, from, -1);
    if (to !== undefined) count(queue, to, 1);
    this.#changed.add(queue);
  }

  /** Within a transaction, before its commit. */
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

  #addKind(kind: Kind): Kind {
    this.#kindById.set(kind.id, kind);
    let versions = this.#kindsOfType.get(kind.type);
    if (versions === undefined) {
      versions = new Map();
      this.#kindsOfType.set(kind.type, versions);
    }
    versions.set(kind.version, kind);
    return kind;
  }
}
