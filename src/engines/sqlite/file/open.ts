import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asStoreError, failureKindOf, storeCorrupt, storeLocked, storeReadOnly } from './failures.ts';
import { OpenFiles } from './open-files.ts';
import { prepareSchema } from './schema.ts';
import { ensureWholeText } from './whole-text.ts';

/**
 * The SQLite settings with which the hot path was measured. The exclusive lock belongs to the operating system: it ends
 * with the process that holds it, and it makes the first read of a second process fail. `checkpoint.ts` runs the
 * checkpoints; SQLite's automatic checkpoint is only the fallback.
 */
const pageBytes = 4_096;
const settings = `
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA page_size = ${pageBytes};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA checkpoint_fullfsync = ON;
PRAGMA cache_size = -32768;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 16000;
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function holderOf(pidPath: string): string {
  try {
    const pid = Number.parseInt(readFileSync(pidPath, 'utf8'), 10);
    if (pid === process.pid) return `this very process (pid ${pid})`;
    if (pid > 0 && isAlive(pid)) return `process ${pid}`;
  } catch {
    // The process that holds the store's lock has not written its pid file yet, or this user may not read the pid file.
  }
  return 'another process';
}

/**
 * Throws STORE_READ_ONLY if this user may not write the store's file or its folder. SQLite itself would fail only at
 * its first write.
 */
function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
  } catch (thrown) {
    throw storeReadOnly(path, thrown);
  }
}

/**
 * Throws STORE_CORRUPT if SQLite's quick_check finds damage in the store's file. A file of more than `mostBytes` is not
 * checked: its damage is found when a damaged page is read.
 */
function checkDamage(db: DatabaseSync, path: string, mostBytes: number): void {
  const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count ?? 0);
  if (pages * pageBytes > mostBytes) return;
  const found = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  if (found !== 'ok') throw storeCorrupt(path, found);
}

/** The store files that this process holds, as device and inode. */
const held = new Set<string>();
/** The databases that this process left open, kept from the garbage collector, which would close them. */
const left: DatabaseSync[] = [];

/**
 * Keeps a database open until the process has ended. A close would write into files, and delete a log, that may be
 * those of another store by now. Node closes open databases when a program ends by itself, but not in `process.exit`.
 */
function leaveOpen(db: DatabaseSync): void {
  if (left.push(db) === 1) process.on('exit', (status) => process.exit(status));
}

function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

export interface StoreFile {
  readonly db: DatabaseSync;
  readonly files: OpenFiles;
  /** True once `leave` was called. */
  readonly isLeft: boolean;
  /** Closes the store's file and releases its lock. Idempotent. */
  close(): void;
  /**
   * Stops the use of the store's file without closing it, because its names may be those of other files by now. A log
   * that was moved away is closed, because its commits are in the store's file.
   */
  leave(): void;
}

/** Copies the write-ahead log into the store's file. Returns false if SQLite could not copy all of it. */
function saveLog(db: DatabaseSync): boolean {
  try {
    const { busy, log, checkpointed } = db.prepare('PRAGMA wal_checkpoint(FULL)').get() ?? {};
    return busy === 0 && log === checkpointed;
  } catch {
    return false;
  }
}

function openFiles(db: DatabaseSync, path: string, file: number): OpenFiles {
  return new OpenFiles(path, `${db.location() ?? path}-wal`, file, () => saveLog(db));
}

function storeFile(db: DatabaseSync, files: OpenFiles, pidPath: string, identity: string): StoreFile {
  let isLeft = false;
  held.add(identity);
  return {
    db,
    files,
    get isLeft() {
      return isLeft;
    },
    close() {
      if (!db.isOpen) return;
      rmSync(pidPath, { force: true });
      db.close();
      files.close();
      held.delete(identity);
    },
    leave() {
      isLeft = true;
      if (files.isLogSaved) rmSync(pidPath, { force: true });
      if (!files.isLogSaved || existsSync(files.logPath)) leaveOpen(db);
      else this.close();
    },
  };
}

/**
 * Opens or creates the store's file, and locks it until it is closed. Throws a HoldfastError: STORE_READ_ONLY,
 * STORE_LOCKED, STORE_CORRUPT, SCHEMA_NEWER, STORE_FULL, or BAD_CONFIGURATION if this version of Node cannot store text
 * unchanged.
 */
export function openStoreFile(relativePath: string, checkUpToBytes: number): StoreFile {
  const path = resolve(relativePath);
  const pidPath = `${path}.pid`;
  checkWritable(path);
  // A descriptor of the file that is closed in this process ends the locks of all the others.
  if (existsSync(path) && held.has(identityOf(path))) throw storeLocked(path, holderOf(pidPath));
  let db: DatabaseSync | undefined;
  let file: number | undefined;
  let files: OpenFiles;
  try {
    // Only this user may read the payloads in the store's file. SQLite gives the -wal and -shm files the same mode.
    file = openSync(path, 'a+', 0o600);
    db = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: false });
    ensureWholeText(db);
    db.exec(settings);
    db.exec('BEGIN IMMEDIATE; COMMIT');
    prepareSchema(db, path);
    checkDamage(db, path, checkUpToBytes);
    writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
    files = openFiles(db, path, file);
  } catch (thrown) {
    db?.close();
    if (file !== undefined) closeSync(file);
    if (failureKindOf(thrown) === 'locked') throw storeLocked(path, holderOf(pidPath), thrown);
    throw asStoreError(thrown, path);
  }
  return storeFile(db, files, pidPath, identityOf(path));
}
