import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HeadSummary, Snapshot, TaskId, TaskStore } from '../../ports/task-store.ts';

/** The result of one read of a task's head. It includes the whole snapshot if the store cannot read the head alone. */
export type HeadRead = { readonly head: HeadSummary; readonly snapshot: Snapshot | undefined };

/** A read of a task's head that was requested and has not been answered yet. */
interface PendingRead {
  readonly id: TaskId;
  resolve(read: HeadRead | undefined): void;
  reject(thrown: unknown): void;
}

/**
 * How long the poll of a watched task waits for simultaneous polls of other tasks, in ms, before all these tasks are read
 * together.
 */
const gatherMs = 1;

/** Combines reads of task heads that are requested at the same time into few calls to the store. */
export class HeadBatcher {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  #pending: PendingRead[] = [];

  constructor(store: TaskStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Reads the head of one task. Returns undefined if the task does not exist, or if the store reads heads alone and the
   * task has not changed since its submission. A poll (`isPoll`) waits for `gatherMs`, so that polls of other tasks can
   * join the same read.
   */
  read(id: TaskId, isPoll: boolean): Promise<HeadRead | undefined> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ id, resolve, reject });
      if (isPoll) this.#clock.after(gatherMs, () => this.#read());
      else this.#clock.soon(() => this.#read());
    });
  }

  #read(): void {
    const reads = this.#pending;
    this.#pending = [];
    for (let from = 0; from < reads.length; from += limits.batchItems) {
      void this.#readPart(reads.slice(from, from + limits.batchItems));
    }
  }

  async #readPart(part: readonly PendingRead[]): Promise<void> {
    try {
      const found = await this.#readHeads(part.map(({ id }) => id));
      for (const [i, { resolve }] of part.entries()) resolve(found[i]);
    } catch (thrown) {
      for (const { reject } of part) reject(thrown);
    }
  }

  async #readHeads(ids: readonly TaskId[]): Promise<(HeadRead | undefined)[]> {
    const nowMs = this.#clock.now();
    if (this.#store.heads !== undefined) {
      const heads = await this.#store.heads(ids, nowMs);
      return heads.map((head) => head && { head, snapshot: undefined });
    }
    const snapshots = await this.#store.read(ids, nowMs);
    return snapshots.map((snapshot) => snapshot && { head: snapshot.head, snapshot });
  }
}
