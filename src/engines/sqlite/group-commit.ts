import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Acceptance, AcceptOutcome, Change, WriteOutcome } from '../../ports/task-store.ts';
import { acceptOne } from './accept.ts';
import { appendOne } from './append.ts';
import {
  type CommitBatch,
  callsOf,
  ItemFailure,
  newBatch,
  type PendingCall,
  type WriteStep,
} from './commit-batch.ts';
import type { SqliteContext } from './context.ts';
import type { Checkpoints } from './file/checkpoint.ts';
import type { CommitMark } from './file/commit-mark.ts';
import { asStoreError, failureKindOf, storeBusy, storeClosed, storeFailed } from './file/failures.ts';
import type { FullDisk } from './file/full-disk.ts';
import { smallFirst } from './small-first.ts';

/**
 * The maximum size of a commit batch, in items and in bytes: heartbeats and small submissions must not wait long behind very many
 * submissions or large ones. A commit of 1 MiB takes about 25 ms where payloads are large.
 */
const batchItems = 4_096;
const batchBytes = 1_048_576;
/** The part of a commit batch that other calls leave to submissions, which would otherwise wait for ever behind many of them. */
const acceptShare = 1 / 4;
/**
 * Submissions are refused when the calls that wait for a commit reach a limit of bytes. Heartbeats and settlements are
 * refused only at this multiple of that limit.
 */
const settlementFactor = 2;
const itemBytes = 256;
/** The shortest time in ms between two commits that check the store's files before their calls are answered. */
const fileCheckMs = 20;

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
 * The only writer of the store's file. Gathers calls until the event loop has read its input, then commits them in one
 * transaction with one sync: settlements and heartbeats first, then submissions, then other writes. A call's promise is
 * settled after the commit.
 */
export class GroupCommitter {
  readonly #context: SqliteContext;
  readonly #fullDisk: FullDisk;
  readonly #checkpoints: Checkpoints;
  readonly #mark: CommitMark;
  readonly #onFatal: (error: HoldfastError) => void;
  readonly #afterCommit: () => void;
  #pending: CommitBatch = newBatch();
  #pendingBytes = 0;
  #isScheduled = false;
  #filesCheckedAtMs = Number.NEGATIVE_INFINITY;
  #stopError: HoldfastError | undefined;

  constructor(parts: {
    context: SqliteContext;
    full: FullDisk;
    checkpoints: Checkpoints;
    mark: CommitMark;
    onFatal: (error: HoldfastError) => void;
    afterCommit: () => void;
  }) {
    this.#context = parts.context;
    this.#fullDisk = parts.full;
    this.#checkpoints = parts.checkpoints;
    this.#mark = parts.mark;
    this.#onFatal = parts.onFatal;
    this.#afterCommit = parts.afterCommit;
  }

  /** The error that stopped the store. Undefined while the store works. */
  get stopError(): HoldfastError | undefined {
    return this.#stopError;
  }

  accept(items: readonly Acceptance[]): Promise<AcceptOutcome[]> {
    const bytes = bytesOfAccepts(items);
    if (this.#pendingBytes + bytes > limits.storeQueueBytes) return Promise.reject(storeBusy());
    return this.#enqueue(this.#pending.accepts, items, bytes);
  }

  append(items: readonly Change[]): Promise<WriteOutcome[]> {
    const bytes = bytesOfChanges(items);
    if (this.#pendingBytes + bytes > limits.storeQueueBytes * settlementFactor)
      return Promise.reject(storeBusy());
    return this.#enqueue(this.#pending.changes, items, bytes);
  }

  /** Runs `write` within the next transaction, and again if that transaction is rolled back. */
  async write<T>(write: () => T): Promise<T> {
    const [result] = await this.#enqueue(this.#pending.writes, [write], itemBytes);
    if (result instanceof HoldfastError) throw result;
    return result as T;
  }

  /**
   * Runs a read of the store's file. Throws a HoldfastError. If the file is damaged, the store stops: nothing more is
   * read from the file or written to it.
   */
  read<T>(read: () => T): T {
    if (this.#stopError !== undefined) throw this.#stopError;
    try {
      return read();
    } catch (thrown) {
      if (failureKindOf(thrown) !== 'corrupt') throw asStoreError(thrown, this.#context.path);
      this.#fail(newBatch(), thrown);
      throw this.#stopError;
    }
  }

  /** Stops the store if one of its files is not the one any more that this process opened. */
  checkFiles(): void {
    if (this.#stopError !== undefined) return;
    try {
      this.#checkFiles();
    } catch (thrown) {
      this.#fail(newBatch(), thrown);
    }
  }

  /** Commits all calls that wait for a commit at once. */
  flush(): void {
    while (callsOf(this.#pending).length > 0) this.#commit();
  }

  /** Stops the store: all later calls are rejected. */
  stop(): void {
    this.#stopError ??= storeClosed();
  }

  #enqueue<Item, Result>(
    calls: PendingCall<Item, Result>[],
    items: readonly Item[],
    bytes: number,
  ): Promise<Result[]> {
    if (this.#stopError !== undefined) return Promise.reject(this.#stopError);
    if (items.length === 0) return Promise.resolve([]);
    this.#pendingBytes += bytes;
    this.#schedule();
    return new Promise((resolve, reject) => {
      calls.push({ items, bytes, results: new Array(items.length), excluded: new Map(), resolve, reject });
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#context.clock.soon(() => {
      this.#isScheduled = false;
      if (this.#stopError === undefined) this.#commit();
    });
  }

  #commit(): void {
    const batch = this.#takeBatch();
    if (callsOf(batch).length === 0) return;
    try {
      this.#commitBatch(batch);
      if (this.#isFileCheckDue()) this.#checkFiles();
    } catch (thrown) {
      this.#fail(batch, thrown);
      return;
    }
    for (const call of callsOf(batch)) call.resolve(call.results);
    this.#afterCommit();
    if (this.#checkpoints.isDue()) this.#context.clock.soon(() => this.#checkpoint());
  }

  #isFileCheckDue(): boolean {
    return this.#context.clock.monotonic() - this.#filesCheckedAtMs >= fileCheckMs;
  }

  #checkFiles(): void {
    this.#filesCheckedAtMs = this.#context.clock.monotonic();
    const error = this.#context.file.check();
    if (error !== undefined) throw error;
  }

  /** Takes the waiting calls for the next commit, oldest first, up to the size of one commit batch. The others go on waiting. */
  #takeBatch(): CommitBatch {
    const pending = this.#pending;
    const batch = newBatch();
    let items = 0;
    let bytes = 0;
    const take = <C extends PendingCall<never, never>>(from: C[], to: C[], share = 1) => {
      let taken = 0;
      const mostItems = share * batchItems;
      for (const call of from) {
        const isFull = items + call.items.length > mostItems || bytes + call.bytes > share * batchBytes;
        if (items > 0 && isFull) break;
        items += call.items.length;
        bytes += call.bytes;
        to.push(call);
        taken++;
      }
      from.splice(0, taken);
    };
    const changesShare = pending.accepts.length === 0 ? 1 : 1 - acceptShare;
    const [changes, into] = [pending.changes, batch.changes] as unknown as PendingCall<never, never>[][];
    take(changes ?? [], into ?? [], changesShare);
    const accepts = [...smallFirst(pending.accepts, batchBytes)];
    take(accepts as PendingCall<never, never>[], batch.accepts as PendingCall<never, never>[]);
    pending.accepts.splice(0, pending.accepts.length, ...accepts);
    take(pending.writes as PendingCall<never, never>[], batch.writes as PendingCall<never, never>[]);
    this.#pendingBytes -= bytes;
    if (callsOf(pending).length > 0) this.#schedule();
    return batch;
  }

  /** Commits a commit batch. Throws if the outcome of the COMMIT is unknown or the store cannot go on. */
  #commitBatch(batch: CommitBatch): void {
    for (;;) {
      try {
        this.#transaction(batch);
        return;
      } catch (thrown) {
        this.#rollBack();
        if (thrown instanceof ItemFailure) thrown.call.excluded.set(thrown.index, thrown.error);
        else if (failureKindOf(thrown) === 'full') {
          this.#commitOnFullDisk(batch, thrown);
          return;
        } else throw thrown;
      }
    }
  }

  /**
   * Commits a commit batch that found the disk full: settlements use the space of the deleted ballast file, submissions
   * and claims fail.
   */
  #commitOnFullDisk(batch: CommitBatch, cause: unknown): void {
    this.#fullDisk.enter();
    try {
      this.#transaction(batch);
    } catch (thrown) {
      this.#rollBack();
      if (failureKindOf(thrown) !== 'full') throw thrown;
      const error = this.#fullDisk.refusal(cause);
      for (const call of [...batch.changes, ...batch.accepts] as PendingCall<
        unknown,
        WriteOutcome | AcceptOutcome
      >[]) {
        call.items.forEach((_, index) => {
          call.results[index] = { kind: 'failed', error };
        });
      }
      for (const call of batch.writes) call.reject(error);
    }
  }

  #transaction(batch: CommitBatch): void {
    const { sql, names, keys, stats, file } = this.#context;
    const isFull = this.#fullDisk.isFull;
    file.beforeTransaction();
    sql.begin.run();
    for (const call of batch.changes) this.#apply(call, (change) => this.#append(change, isFull), asFailed);
    for (const call of batch.accepts) this.#apply(call, (item) => this.#accept(item, isFull), asFailed);
    for (const call of batch.writes) this.#apply(call, runWrite, (error) => error);
    if (!isFull) stats.rowsWritten += keys.write(this.#context.lastSeq);
    stats.rowsWritten += names.writeCounts();
    file.beforeCommit();
    this.#mark.before();
    sql.commit.run();
    this.#mark.after();
    keys.afterCommit();
    file.afterCommit();
    stats.commits++;
  }

  #apply<Item, Result>(
    call: PendingCall<Item, Result>,
    apply: (item: Item) => Result,
    failed: (error: HoldfastError) => Result,
  ): void {
    const { items, results, excluded } = call;
    for (let index = 0; index < items.length; index++) {
      const failure = excluded.size === 0 ? undefined : excluded.get(index);
      try {
        results[index] = failure === undefined ? apply(items[index] as Item) : failed(failure);
      } catch (thrown) {
        if (failureKindOf(thrown) === 'item')
          throw new ItemFailure(call as unknown as PendingCall<never, never>, index, thrown);
        throw thrown;
      }
    }
  }

  #append(change: Change, isFull: boolean): WriteOutcome {
    if (isFull && isClaim(change)) return { kind: 'failed', error: this.#fullDisk.refusal() };
    return appendOne(this.#context, change);
  }

  #accept(item: Acceptance, isFull: boolean): AcceptOutcome {
    if (isFull) return { kind: 'failed', error: this.#fullDisk.refusal() };
    return acceptOne(this.#context, item);
  }

  /** Rolls the SQLite transaction back and discards all data of the file that is cached in memory. */
  #rollBack(): void {
    const { db, names, keys, readyIndex } = this.#context;
    if (db.isTransaction) db.exec('ROLLBACK');
    names.reload();
    keys.rollBack();
    readyIndex.clear();
  }

  #checkpoint(): void {
    if (this.#stopError !== undefined) return;
    try {
      this.#checkpoints.run();
    } catch (thrown) {
      if (failureKindOf(thrown) === 'full') this.#fullDisk.enter();
      else this.#fail(newBatch(), thrown);
    }
  }

  #fail(batch: CommitBatch, thrown: unknown): void {
    const kind = failureKindOf(thrown);
    const isExplained = kind === 'corrupt' || kind === 'moved';
    const error = isExplained ? asStoreError(thrown, this.#context.path) : storeFailed(thrown);
    this.#stopError = error;
    for (const call of [...callsOf(batch), ...callsOf(this.#pending)]) call.reject(error);
    this.#pending = newBatch();
    this.#onFatal(error);
  }
}

function asFailed(error: HoldfastError): { kind: 'failed'; error: HoldfastError } {
  return { kind: 'failed', error };
}

function runWrite(write: WriteStep): unknown {
  return write();
}
