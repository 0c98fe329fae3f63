import { existsSync, rmSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { HoldfastError } from '../../../core/errors.ts';
import type { LogTracker } from '../log/log-tracker.ts';
import { failureKindOf, logMoved } from './failures.ts';
import type { OpenFiles } from './open-files.ts';

/** The store files that this process holds, each by the device and inode of its file. */
const held = new Map<string, HeldFile>();

function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/**
 * Returns whether this process holds the file of this name. It must not open the file once more, because the close of
 * any descriptor of a file ends all locks that the process has on the file.
 */
export function isHeld(path: string): boolean {
  return existsSync(path) && held.has(identityOf(path));
}

/** Closes the stores that a program has not closed when it ends, and then ends it before Node can close the others. */
function closeAll(status: number): void {
  for (const file of held.values()) file.close();
  if (held.size > 0) process.exit(status);
}

/** The open file of a store, with the checks that belong to it. */
export interface StoreFile {
  readonly db: DatabaseSync;
  /** True once `leave` was called. */
  readonly isLeft: boolean;
  /** Returns STORE_MOVED if a file of the store is not the one any more that this process opened. */
  check(): HoldfastError | undefined;
  /** Must be called before each transaction. Throws an error of the kind `full` if the commit could not be recorded. */
  beforeTransaction(): void;
  /** Must be called within each transaction, before its commit. */
  beforeCommit(): void;
  /** Must be called after each commit. */
  afterCommit(): void;
  /** Must be called after each checkpoint. */
  afterCheckpoint(): void;
  /** Closes the store's file and releases its lock. Idempotent. Does nothing after `leave`. */
  close(): void;
  /**
   * Stops the use of the store's file after `check` returned an error. The file stays open until the process ends: a
   * close would write into files, and delete a log, that may be those of another store by now. If only the log was moved
   * away, its commits are in the store's file, and it is closed.
   */
  leave(): void;
}

export class HeldFile implements StoreFile {
  readonly db: DatabaseSync;
  readonly #files: OpenFiles;
  readonly #startTracker: () => LogTracker;
  readonly #pidPath: string;
  readonly #identity: string;
  /** Undefined while nothing could be committed, because the disk was full when the file was opened. */
  #tracker: LogTracker | undefined;
  #isLeft = false;
  #isLogSaved = false;

  /** On a full disk the tracker is started by the first transaction for which there is space. */
  constructor(db: DatabaseSync, files: OpenFiles, startTracker: () => LogTracker, pidPath: string) {
    this.db = db;
    this.#files = files;
    this.#startTracker = startTracker;
    this.#pidPath = pidPath;
    this.#identity = identityOf(files.path);
    try {
      this.beforeTransaction();
    } catch (thrown) {
      if (failureKindOf(thrown) !== 'full') throw thrown;
    }
    if (held.size === 0) process.on('exit', closeAll);
    held.set(this.#identity, this);
  }

  get isLeft(): boolean {
    return this.#isLeft;
  }

  check(): HoldfastError | undefined {
    const error = this.#files.check();
    if (error !== undefined) return error;
    const how = this.#files.howLogLost();
    if (how !== undefined) {
      this.#isLogSaved = this.#saveLog();
      return logMoved(this.#files.logPath, how, this.#isLogSaved);
    }
    this.#tracker?.write();
    return undefined;
  }

  beforeTransaction(): void {
    this.#tracker ??= this.#startTracker();
  }

  beforeCommit(): void {
    this.#tracker?.beforeCommit();
  }

  afterCommit(): void {
    this.#tracker?.afterCommit();
  }

  afterCheckpoint(): void {
    this.#tracker?.afterCheckpoint();
    this.#files.recordWrite();
  }

  close(): void {
    if (this.#isLeft || !this.db.isOpen) return;
    this.#close(this.#saveLog());
  }

  leave(): void {
    if (this.#isLeft || !this.db.isOpen) return;
    this.#isLeft = true;
    if (!this.#isLogSaved) return;
    if (existsSync(this.#files.logPath)) this.#recordClosed();
    else this.#close(true);
  }

  #close(isLogSaved: boolean): void {
    // The process may be killed after SQLite has deleted the log and before the pid file is removed.
    if (isLogSaved) this.#recordClosed();
    this.db.close();
    this.#tracker?.close(!existsSync(this.#files.logPath));
    this.#files.close();
    held.delete(this.#identity);
    if (held.size === 0) process.off('exit', closeAll);
  }

  /** Records that the log is in the store's file. Without a tracker a pid file is that of an earlier process. */
  #recordClosed(): void {
    if (this.#tracker === undefined) rmSync(this.#pidPath, { force: true });
    else this.#tracker.recordClosed();
  }

  /** Copies the log into the store's file. Returns false if SQLite could not copy all of it. */
  #saveLog(): boolean {
    try {
      const { busy, log, checkpointed } = this.db.prepare('PRAGMA wal_checkpoint(FULL)').get() ?? {};
      return busy === 0 && log === checkpointed;
    } catch {
      return false;
    }
  }
}
