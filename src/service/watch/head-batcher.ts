import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Snapshot, StandingHead, TaskId, TaskStore } from '../../ports/task-store.ts';

/** What one read tells of a task: its submission and events too where a read of the head alone costs no less. */
export type Standing = { readonly head: StandingHead; readonly snapshot: Snapshot | undefined };

interface Asked {
  readonly id: TaskId;
  resolve(standing: Standing | undefined): void;
  reject(thrown: unknown): void;
}

/** Polls fall on the same moments; the first of them waits so long for the others. */
const gatherMs = 1;

/** Reads what is asked for at one time together. */
export class HeadReads {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  #asked: Asked[] = [];

  constructor(store: TaskStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Undefined: no such task, or (where heads are read alone) one that nobody has touched since its submission.
   * `isPoll`: it may wait for others.
   */
  ask(id: TaskId, isPoll: boolean): Promise<Standing | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ id, resolve, reject });
      if (isPoll) this.#clock.after(gatherMs, () => this.#read());
      else this.#clock.soon(() => this.#read());
    });
  }

  #read(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (let from = 0; from < asked.length; from += limits.batchItems) {
      void this.#readPart(asked.slice(from, from + limits.batchItems));
    }
  }

  async #readPart(part: readonly Asked[]): Promise<void> {
    try {
      const found = await this.#standings(part.map(({ id }) => id));
      for (const [i, { resolve }] of part.entries()) resolve(found[i]);
    } catch (thrown) {
      for (const { reject } of part) reject(thrown);
    }
  }

  async #standings(ids: readonly TaskId[]): Promise<(Standing | undefined)[]> {
    const nowMs = this.#clock.now();
    if (this.#store.heads !== undefined) {
      const heads = await this.#store.heads(ids, nowMs);
      return heads.map((head) => head && { head, snapshot: undefined });
    }
    const snapshots = await this.#store.read(ids, nowMs);
    return snapshots.map((snapshot) => snapshot && { head: snapshot.head, snapshot });
  }
}
