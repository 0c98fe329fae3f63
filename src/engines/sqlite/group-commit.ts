import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Acceptance, Accepted, Change, Outcome } from '../../ports/task-store.ts';
import { acceptOne } from './accept.ts';
import { appendOne } from './append.ts';
import { type Call, type CommitBatch, callsOf, ItemFailed, newBatch, type Write } from './commit-batch.ts';
import type { SqliteContext } from './context.ts';
import type { Checkpoints } from './file/checkpoint.ts';
import type { CommitMark } from './file/commit-mark.ts';
import { asStoreError, failureOf, storeBusy, storeClosed, storeFailed, storeFull } from './file/failures.ts';
import type { FullDisk } from './file/full-disk.ts';

/** One turn commits at most so much, so that heartbeats never wait long behind a flood of submits. */
const batchItems = 4_096;
const batchBytes = 8 * 1_048_576;
/** Heartbeats and settlements have room beyond what submits may take. */
const settlementRoom = 2;
const itemBytes = 256;

function isClaim(change: Change): boolean {
  return change.kind === 'transition' && change.events.some((event) => event.kind === 'claimed');
}

function bytesOfAccepts(batch: readonly Acceptance[]): number {
  return batch.reduce((sum, item) => sum + item.submission.spec.length + itemBytes, 0);
}

function bytesOfChanges(batch: readonly Change[]): number {
  return batch.reduce(
    (sum, item) => sum + itemBytes + (item.kind === 'transition' ? (item.result?.length ?? 0) : 0),
    0,
  );
}

/**
 * The one writer. Calls are gathered until the turn's input has been read, then committed together with one sync:
 * settlements and heartbeats first, then submissions. Every promise is answered after the commit.
 */
export class GroupCommitter {
  readonly #context: SqliteContext;
  readonly #full: FullDisk;
  readonly #checkpoints: Checkpoints;
  readonly #mark: CommitMark;
  readonly #onFatal: (error: HoldfastError) => void;
  readonly #afterCommit: () => void;
  #waiting: CommitBatch = newBatch();
  #waitingBytes = 0;
  #soon = false;
  #dead: HoldfastError | undefined;

  constructor(parts: {
    context: SqliteContext;
    full: FullDisk;
    checkpoints: Checkpoints;
    mark: CommitMark;
    onFatal: (error: HoldfastError) => void;
    afterCommit: () => void;
  }) {
    this.#context = parts.context;
    this.#full = parts.full;
    this.#checkpoints = parts.checkpoints;
    this.#mark = parts.mark;
    this.#onFatal = parts.onFatal;
    this.#afterCommit = parts.afterCommit;
  }

  /** Undefined while the store works. */
  get dead(): HoldfastError | undefined {
    return this.#dead;
  }

  accept(items: readonly Acceptance[]): Promise<Accepted[]> {
    const bytes = bytesOfAccepts(items);
    if (this.#waitingBytes + bytes > limits.storeQueueBytes) return Promise.reject(storeBusy());
    return this.#gather(this.#waiting.accepts, items, bytes);
  }

  append(items: readonly Change[]): Promise<Outcome[]> {
    const bytes = bytesOfChanges(items);
    if (this.#waitingBytes + bytes > limits.storeQueueBytes * settlementRoom)
      return Promise.reject(storeBusy());
    return this.#gather(this.#waiting.changes, items, bytes);
  }

  /** Runs within the next transaction. May run again, where that one was undone. */
  async write<T>(write: () => T): Promise<T> {
    const [result] = await this.#gather(this.#waiting.writes, [write], itemBytes);
    if (result instanceof HoldfastError) throw result;
    return result as T;
  }

  /**
   * Reads from the file. Throws a HoldfastError; a file that shows damage ends the store, so that nothing more is given
   * out of it or written to it.
   */
  reading<T>(read: () => T): T {
    if (this.#dead !== undefined) throw this.#dead;
    try {
      return read();
    } catch (thrown) {
      if (failureOf(thrown) !== 'corrupt') throw asStoreError(thrown, this.#context.path);
      this.#die(newBatch(), thrown);
      throw this.#dead;
    }
  }

  /** Commits what waits, at once. */
  flush(): void {
    while (callsOf(this.#waiting).length > 0) this.#commit();
  }

  /** Nothing is taken any more. */
  stop(): void {
    this.#dead ??= storeClosed();
  }

  #gather<Item, Result>(
    calls: Call<Item, Result>[],
    items: readonly Item[],
    bytes: number,
  ): Promise<Result[]> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (items.length === 0) return Promise.resolve([]);
    this.#waitingBytes += bytes;
    this.#schedule();
    return new Promise((resolve, reject) => {
      calls.push({ items, bytes, results: new Array(items.length), excluded: new Map(), resolve, reject });
    });
  }

  #schedule(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#context.clock.soon(() => {
      this.#soon = false;
      if (this.#dead === undefined) this.#commit();
    });
  }

  #commit(): void {
    const batch = this.#takeBatch();
    if (callsOf(batch).length === 0) return;
    try {
      this.#run(batch);
    } catch (thrown) {
      this.#die(batch, thrown);
      return;
    }
    for (const call of callsOf(batch)) call.resolve(call.results);
    this.#afterCommit();
    if (this.#checkpoints.isDue()) this.#context.clock.soon(() => this.#checkpoint());
  }

  /** The whole of what waits, or its beginning where that is too much for one turn. */
  #takeBatch(): CommitBatch {
    const waiting = this.#waiting;
    const batch = newBatch();
    let items = 0;
    let bytes = 0;
    const take = <C extends Call<never, never>>(from: C[], to: C[]) => {
      let taken = 0;
      for (const call of from) {
        if (items > 0 && (items + call.items.length > batchItems || bytes + call.bytes > batchBytes)) break;
        items += call.items.length;
        bytes += call.bytes;
        to.push(call);
        taken++;
      }
      from.splice(0, taken);
    };
    take(waiting.changes as Call<never, never>[], batch.changes as Call<never, never>[]);
    take(waiting.accepts as Call<never, never>[], batch.accepts as Call<never, never>[]);
    take(waiting.writes as Call<never, never>[], batch.writes as Call<never, never>[]);
    this.#waitingBytes -= bytes;
    if (callsOf(waiting).length > 0) this.#schedule();
    return batch;
  }

  /** Throws where the outcome is unknown, or the store can't go on. */
  #run(batch: CommitBatch): void {
    for (;;) {
      try {
        this.#transaction(batch);
        return;
      } catch (thrown) {
        this.#undo();
        if (thrown instanceof ItemFailed) thrown.call.excluded.set(thrown.index, thrown.error);
        else if (failureOf(thrown) === 'full') {
          this.#runFull(batch, thrown);
          return;
        } else throw thrown;
      }
    }
  }

  /** The disk is full: what was done is written with the room that was kept for it, nothing new is begun. */
  #runFull(batch: CommitBatch, cause: unknown): void {
    this.#full.enter();
    try {
      this.#transaction(batch);
    } catch (thrown) {
      this.#undo();
      if (failureOf(thrown) !== 'full') throw thrown;
      const error = storeFull(cause);
      for (const call of [...batch.changes, ...batch.accepts] as Call<unknown, Outcome | Accepted>[]) {
        call.items.forEach((_, index) => {
          call.results[index] = { kind: 'failed', error };
        });
      }
      for (const call of batch.writes) call.reject(error);
    }
  }

  #transaction(batch: CommitBatch): void {
    const { sql, names, stats } = this.#context;
    const full = this.#full.isFull;
    sql.begin.run();
    for (const call of batch.changes) this.#apply(call, (change) => this.#append(change, full), asFailed);
    for (const call of batch.accepts) this.#apply(call, (item) => this.#accept(item, full), asFailed);
    for (const call of batch.writes) this.#apply(call, runWrite, (error) => error);
    stats.rowsWritten += names.writeCounts();
    this.#mark.before();
    sql.commit.run();
    this.#mark.after();
    stats.commits++;
  }

  #apply<Item, Result>(
    call: Call<Item, Result>,
    apply: (item: Item) => Result,
    failed: (error: HoldfastError) => Result,
  ): void {
    const { items, results, excluded } = call;
    for (let index = 0; index < items.length; index++) {
      const known = excluded.size === 0 ? undefined : excluded.get(index);
      try {
        results[index] = known === undefined ? apply(items[index] as Item) : failed(known);
      } catch (thrown) {
        if (failureOf(thrown) === 'item')
          throw new ItemFailed(call as unknown as Call<never, never>, index, thrown);
        throw thrown;
      }
    }
  }

  #append(change: Change, full: boolean): Outcome {
    if (full && isClaim(change)) return { kind: 'failed', error: storeFull() };
    return appendOne(this.#context, change);
  }

  #accept(item: Acceptance, full: boolean): Accepted {
    if (full) return { kind: 'failed', error: storeFull() };
    return acceptOne(this.#context, item);
  }

  /** After an undone transaction, memory is what the file says. */
  #undo(): void {
    const { db, names, readyIndex } = this.#context;
    if (db.isTransaction) db.exec('ROLLBACK');
    names.reload();
    readyIndex.forget();
  }

  #checkpoint(): void {
    if (this.#dead !== undefined) return;
    try {
      this.#checkpoints.run();
    } catch (thrown) {
      if (failureOf(thrown) === 'full') this.#full.enter();
      else this.#die(newBatch(), thrown);
    }
  }

  #die(batch: CommitBatch, thrown: unknown): void {
    const error =
      failureOf(thrown) === 'corrupt' ? asStoreError(thrown, this.#context.path) : storeFailed(thrown);
    this.#dead = error;
    for (const call of [...callsOf(batch), ...callsOf(this.#waiting)]) call.reject(error);
    this.#waiting = newBatch();
    this.#onFatal(error);
  }
}

function asFailed(error: HoldfastError): { kind: 'failed'; error: HoldfastError } {
  return { kind: 'failed', error };
}

function runWrite(write: Write): unknown {
  return write();
}
