import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../../ports/clock.ts';
import { contentFaults } from '../check/content.ts';
import { ensureIdentity } from '../log/identity.ts';
import { LogTracker } from '../log/log-tracker.ts';
import { findLogFault } from '../log/unclean-end.ts';
import {
  asStoreError,
  commitsMissing,
  failureKindOf,
  storeCorrupt,
  storeDoesNotFit,
  storeLocked,
  storeReadOnly,
} from './failures.ts';
import { OpenFiles } from './open-files.ts';
import { prepareSchema } from './schema.ts';
import { HeldFile, isHeld, type StoreFile } from './store-file.ts';
import { ensureWholeText } from './whole-text.ts';

/**
 * The exclusive lock belongs to the operating system: it ends with the process that holds it, and it makes the first read
 * of a second process fail. It must be set before the first statement of any kind is prepared: only then SQLite keeps the
 * index of the log in memory. Otherwise SQLite makes a file for that index, which needs space on the disk.
 */
const exclusive = 'PRAGMA locking_mode = EXCLUSIVE';

/**
 * The SQLite settings with which the hot path was measured. `checkpoint.ts` runs the checkpoints, and none runs by itself:
 * the log tracker must know when SQLite begins the log anew.
 */
const pageBytes = 4_096;
const settings = `
PRAGMA page_size = ${pageBytes};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA checkpoint_fullfsync = ON;
PRAGMA cache_size = -32768;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 0;
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

/** A file of up to this many bytes is checked completely when it is opened, which takes some hundred ms at most. */
const checkAllUpToBytes = 16 * 1_048_576;

/**
 * Throws STORE_CORRUPT if the store's file is damaged. A small file is checked completely, a larger one by SQLite's
 * quick_check, which compares no index with its table. A file of more than `mostBytes` is not checked: its damage is
 * found when a damaged page or task is read, and by `holdfast check`.
 */
function checkDamage(db: DatabaseSync, path: string, mostBytes: number): void {
  const bytes = Number(db.prepare('PRAGMA page_count').get()?.page_count ?? 0) * pageBytes;
  if (bytes > mostBytes) return;
  if (bytes <= checkAllUpToBytes) {
    for (const fault of contentFaults(db)) throw storeCorrupt(path, fault);
    return;
  }
  const found = db.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  if (found !== 'ok') throw storeCorrupt(path, found);
}

/** The names of the store's files. SQLite keeps the log beside the file to which a symbolic link leads. */
export interface StorePaths {
  readonly path: string;
  readonly logPath: string;
  readonly pidPath: string;
}

export function storePaths(relativePath: string): StorePaths {
  const path = resolve(relativePath);
  const target = existsSync(path) ? realpathSync(path) : path;
  return { path, logPath: `${target}-wal`, pidPath: `${path}.pid` };
}

/**
 * Throws STORE_LOCKED if another process holds the store's file. Changes nothing. SQLite looks for the lock under another
 * name of the same file, because under its own name it would create, recover or delete the write-ahead log.
 */
export function ensureUnlocked({ path, pidPath }: StorePaths): void {
  if (!existsSync(path)) return;
  const otherName = `${path}.probe-${process.pid}`;
  let db: DatabaseSync | undefined;
  try {
    linkSync(path, otherName);
    db = new DatabaseSync(otherName, { readOnly: true, timeout: 0 });
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (thrown) {
    if (failureKindOf(thrown) === 'locked') throw storeLocked(path, holderOf(pidPath), thrown);
  } finally {
    db?.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(otherName + suffix, { force: true });
  }
}

/** Throws STORE_CORRUPT if acknowledged commits are missing in the files of a store that no process holds. */
function ensureWhole(paths: StorePaths): void {
  const find = () => findLogFault(paths.path, paths.logPath, paths.pidPath);
  if (find() === undefined) return;
  ensureUnlocked(paths);
  // The process that held the store may have changed its files between the two steps.
  const fault = find();
  if (fault !== undefined) throw commitsMissing(paths.path, fault.text);
}

/**
 * Opens or creates the store's file, and locks it until it is closed. On a full disk a store of this schema is opened too:
 * it can be read, and outcomes of running tasks are recorded in the space of the ballast. Throws a HoldfastError:
 * STORE_READ_ONLY, STORE_LOCKED, STORE_CORRUPT, SCHEMA_NEWER, STORE_FULL if a new or an older file does not fit on the disk,
 * or BAD_CONFIGURATION if this version of Node cannot store text unchanged.
 */
export function openStoreFile(
  relativePath: string,
  checkUpToBytes: number,
  clock: Pick<Clock, 'monotonic' | 'uuid'>,
): StoreFile {
  const paths = storePaths(relativePath);
  const { path, logPath, pidPath } = paths;
  checkWritable(path);
  if (isHeld(path)) throw storeLocked(path, holderOf(pidPath));
  ensureWhole(paths);
  let db: DatabaseSync | undefined;
  let file: number | undefined;
  try {
    // Only this user may read the payloads in the store's file. SQLite gives the -wal and -shm files the same mode.
    file = openSync(path, 'a+', 0o600);
    db = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: false });
    db.exec(exclusive);
    ensureWholeText(db);
    db.exec(settings);
    db.exec('BEGIN IMMEDIATE; COMMIT');
    prepareSchema(db, path);
    checkDamage(db, path, checkUpToBytes);
    const opened = db;
    const startTracker = (): LogTracker => {
      const identity = ensureIdentity(opened, () => clock.uuid());
      return new LogTracker(opened, logPath, pidPath, identity, clock);
    };
    return new HeldFile(db, new OpenFiles(path, logPath, file), startTracker, pidPath);
  } catch (thrown) {
    db?.close();
    if (file !== undefined) closeSync(file);
    if (failureKindOf(thrown) === 'locked') throw storeLocked(path, holderOf(pidPath), thrown);
    if (failureKindOf(thrown) === 'full') throw storeDoesNotFit(path, thrown);
    throw asStoreError(thrown, path);
  }
}
