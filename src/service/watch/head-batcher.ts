import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HeadSummary, Snapshot, TaskId, TaskStore } from '../../ports/task-store.ts';

/** The result of one read of a task. It includes the snapshot if the store has no cheaper read of the head alone. */
export type HeadRead = { readonly head: HeadSummary; readonly snapshot: Snapshot | undefined };

/** A read that was requested and has not been answered yet. */
interface PendingRead {
  readonly id: TaskId;
  resolve(read: HeadRead | undefined): void;
  reject(thrown: unknown): void;
}

/** How long the first of several simultaneous polls waits for the others, in ms, before all are read together. */
const gatherMs = 1;

/** Combines the reads of task heads that are requested at the same time. */
export class HeadBatcher {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  #pending: PendingRead[] = [];

  constructor(store: TaskStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Reads one task. Returns undefined if the task does not exist, or if the store reads heads alone and the task has not
   * changed since its submission. A poll (`isPoll`) waits briefly so that other polls can join its read.
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
