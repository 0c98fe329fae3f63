import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { failureKindOf, storeDoesNotFit } from '../file/failures.ts';
import { ensureUnlocked, storePaths } from '../file/open.ts';
import { findLogFault, type LogFault } from '../log/unclean-end.ts';

/** The result of `acceptLoss`: the fault, and the file that has the log as it was. */
export interface AcceptedLoss {
  readonly fault: LogFault;
  readonly keptLog: string | undefined;
}

/** Returns the first name for a kept log that no file has. */
function freeName(logPath: string): string {
  for (let number = 1; ; number++) {
    const name = `${logPath}.lost-${number}`;
    if (!existsSync(name)) return name;
  }
}

/** Copies the log. Throws STORE_FULL, and leaves no part of a copy, if the disk is full. */
function keepCopy(logPath: string, keptLog: string): void {
  try {
    copyFileSync(logPath, keptLog);
  } catch (thrown) {
    rmSync(keptLog, { force: true });
    throw failureKindOf(thrown) === 'full' ? storeDoesNotFit(logPath, thrown) : thrown;
  }
}

/** Lets SQLite copy the commits before the damage into the store's file, and delete the log. */
function recover(path: string): void {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

/**
 * Makes a store whose log or file lacks acknowledged commits startable with the commits that are left. Keeps the log
 * under another name. Returns undefined if nothing is missing. Throws STORE_LOCKED if a process holds the store.
 */
export function acceptLoss(relativePath: string): AcceptedLoss | undefined {
  const paths = storePaths(relativePath);
  const { path, logPath, pidPath } = paths;
  ensureUnlocked(paths);
  const fault = findLogFault(path, logPath, pidPath);
  if (fault === undefined) return undefined;
  const keptLog = existsSync(logPath) ? freeName(logPath) : undefined;
  if (keptLog !== undefined) {
    const isOwn = fault.kind === 'shortLog' || fault.kind === 'damagedLog';
    if (isOwn) keepCopy(logPath, keptLog);
    else renameSync(logPath, keptLog);
    if (isOwn) recover(path);
  }
  rmSync(pidPath, { force: true });
  return { fault, keptLog };
}
