import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Identity } from './api.ts';

/** The heartbeats and settlements that one identity may begin in one turn of the event loop, about 30 ms of work. */
const ownItems = 1_024;
/** The heartbeats and settlements that all identities may begin in one turn of the event loop: as many as a commit has. */
const allItems = 4_096;

interface Waiting {
  readonly items: number;
  begin(): void;
}

/**
 * Lets heartbeats and settlements begin before all other calls, and by turns of the identities if one has very many. A lease
 * that is not renewed in time would run a task again, so that the batches of a worker never wait for calls of other kinds.
 * Without turns, batches of one identity that arrive at the same time would hold up all other callers for seconds.
 */
export class ReportTurns {
  readonly #clock: Clock;
  /** The waiting batches of each identity, oldest first. The first identity is served next. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** The items of each identity that began in this turn of the event loop. */
  readonly #begun = new Map<string, number>();
  #allBegun = 0;
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of batches that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const batches of this.#waiting.values()) count += batches.size;
    return count;
  }

  /** Runs a batch at once or at its turn. Rejects with CANCELLED if `signal` is aborted before. */
  run<T>({ name }: Identity, items: number, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (!this.#waiting.has(name) && this.#hasRoom(name)) {
      this.#count(name, items);
      return run();
    }
    return this.#turnOf(name, items, signal).then(run);
  }

  #turnOf(name: string, items: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const batches = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, batches);
      const gone = (): void => {
        batches.delete(batch);
        if (batches.size === 0 && this.#waiting.get(name) === batches) this.#waiting.delete(name);
        reject(callerGone);
      };
      const batch: Waiting = {
        items,
        begin: () => {
          signal?.removeEventListener('abort', gone);
          resolve();
        },
      };
      batches.add(batch);
      signal?.addEventListener('abort', gone, { once: true });
      this.#schedule();
    });
  }

  #hasRoom(name: string): boolean {
    return this.#allBegun < allItems && (this.#begun.get(name) ?? 0) < ownItems;
  }

  #count(name: string, items: number): void {
    this.#allBegun += items;
    this.#begun.set(name, (this.#begun.get(name) ?? 0) + items);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#allBegun = 0;
      this.#begun.clear();
      this.#serve();
    });
  }

  /** Begins the waiting batches of each identity up to its share of this turn. An identity that was served goes last. */
  #serve(): void {
    for (const [name, batches] of [...this.#waiting]) {
      if (this.#allBegun >= allItems) break;
      this.#waiting.delete(name);
      for (const batch of batches) {
        if (!this.#hasRoom(name)) break;
        batches.delete(batch);
        this.#count(name, batch.items);
        batch.begin();
      }
      if (batches.size > 0) this.#waiting.set(name, batches);
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

const callerGone = new HoldfastError('CANCELLED', 'ABANDONED', 'The caller went away before its turn.');
