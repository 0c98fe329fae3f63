import { existsSync } from 'node:fs';
import { commitsMissing, noStore } from '../file/failures.ts';
import { ensureUnlocked, storePaths } from '../file/open.ts';
import { findLogFault } from '../file/unclean-end.ts';

export { acceptLoss } from './accept-loss.ts';

/** A fault that a check of a store has found. */
export interface StoreFault {
  readonly text: string;
  readonly help: string | undefined;
}

/**
 * Checks the file of a store that no process holds, and changes nothing. Returns the faults. Throws STORE_LOCKED if a
 * process holds the store, and BAD_CONFIGURATION if there is no store.
 */
export function checkStore(relativePath: string): readonly StoreFault[] {
  const paths = storePaths(relativePath);
  const { path, logPath, pidPath } = paths;
  ensureUnlocked(paths);
  const fault = findLogFault(path, logPath, pidPath);
  if (fault !== undefined) return [{ text: fault.text, help: commitsMissing(path, fault.text).help }];
  if (!existsSync(path)) throw noStore(path);
  return [];
}
