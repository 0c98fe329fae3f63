import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { TaskId } from '../../ports/task-store.ts';

/** Reads many tasks by their ids, at most `limits.batchItems` of them. The results have the order of the ids. */
export type ReadMany<T> = (ids: readonly TaskId[]) => Promise<readonly (T | undefined)[]>;

/** A read of a task that was requested and has not been answered yet. */
interface PendingRead<T> {
  readonly id: TaskId;
  resolve(read: T | undefined): void;
  reject(thrown: unknown): void;
}

/**
 * How long the poll of a watched task waits for simultaneous polls of other tasks, in ms, before all these tasks are read
 * together.
 */
const gatherMs = 1;
/**
 * The most calls to the store that are in progress. One identity may watch tens of thousands of tasks: their reads must leave
 * the requests of a slow table to claims and to other calls.
 */
const callsAtOnce = 4;

/** Combines reads of tasks that are requested at the same time into few calls to the store. */
export class ReadBatcher<T> {
  readonly #clock: Clock;
  readonly #readMany: ReadMany<T>;
  #pending: PendingRead<T>[] = [];
  #calls = 0;

  constructor(clock: Clock, readMany: ReadMany<T>) {
    this.#clock = clock;
    this.#readMany = readMany;
  }

  /** Reads one task. A poll (`isPoll`) waits for `gatherMs`, so that polls of other tasks can join the same call. */
  read(id: TaskId, isPoll: boolean): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ id, resolve, reject });
      if (isPoll) this.#clock.after(gatherMs, () => this.#read());
      else this.#clock.soon(() => this.#read());
    });
  }

  #read(): void {
    while (this.#calls < callsAtOnce && this.#pending.length > 0)
      void this.#readPart(this.#pending.splice(0, limits.batchItems));
  }

  async #readPart(part: readonly PendingRead<T>[]): Promise<void> {
    this.#calls++;
    try {
      const found = await this.#readMany(part.map(({ id }) => id));
      for (const [i, { resolve }] of part.entries()) resolve(found[i]);
    } catch (thrown) {
      for (const { reject } of part) reject(thrown);
    }
    this.#calls--;
    this.#read();
  }
}
