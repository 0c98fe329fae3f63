import { existsSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { asStoreError, commitsMissing, noStore, storeCorrupt } from '../file/failures.ts';
import { ensureUnlocked, type StorePaths, storePaths } from '../file/open.ts';
import { ensureKnownSchema } from '../file/schema.ts';
import { findLogFault } from '../log/unclean-end.ts';
import { contentFaults, sqliteFaults } from './content.ts';

export { acceptLoss } from './accept-loss.ts';

/** A fault that a check of a store has found. */
export interface StoreFault {
  readonly text: string;
  readonly help: string | undefined;
}

/** At most this many faults are reported. */
const mostFaults = 100;

/**
 * Opens a store so that nothing is written. Without a log SQLite takes no lock and makes no file. With one it makes a
 * `-shm` file, which is removed afterwards.
 */
function openToRead({ path, logPath }: StorePaths): DatabaseSync {
  const url = pathToFileURL(path);
  if (!existsSync(logPath) || statSync(logPath).size === 0) url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true, timeout: 0 });
}

function checkContent(paths: StorePaths): string[] {
  const { path, logPath } = paths;
  const sharedMemory = logPath.replace(/-wal$/, '-shm');
  const hadSharedMemory = existsSync(sharedMemory);
  let db: DatabaseSync | undefined;
  try {
    db = openToRead(paths);
    const faults = ensureKnownSchema(db, path) ? contentFaults(db) : sqliteFaults(db);
    return [...faults.take(mostFaults)];
  } catch (thrown) {
    throw asStoreError(thrown, path);
  } finally {
    db?.close();
    if (!hadSharedMemory) rmSync(sharedMemory, { force: true });
  }
}

/**
 * Checks the file of a store that no process holds, and changes nothing. Returns the faults. Throws STORE_LOCKED if a
 * process holds the store, BAD_CONFIGURATION if there is no store, and STORE_CORRUPT if SQLite cannot read it at all.
 */
export function checkStore(relativePath: string): readonly StoreFault[] {
  const paths = storePaths(relativePath);
  const { path, logPath, pidPath } = paths;
  ensureUnlocked(paths);
  const fault = findLogFault(path, logPath, pidPath);
  if (fault !== undefined) return [{ text: fault.text, help: commitsMissing(path, fault.text).help }];
  if (!existsSync(path)) throw noStore(path);
  const { help } = storeCorrupt(path);
  return checkContent(paths).map((text) => ({ text: `${path} is damaged: ${text}`, help }));
}
