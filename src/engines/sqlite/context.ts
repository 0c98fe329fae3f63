import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ReadyIndex } from './broker/ready-index.ts';
import type { StoreFile } from './file/store-file.ts';
import type { HashedKeys } from './keys/hashed-keys.ts';
import type { InternedNames } from './rows/interned-names.ts';
import type { Statements } from './rows/statements.ts';

/** Counters of the SQLite engine's work, for benchmarks. They are cheap integers that only rise. */
export interface Stats {
  commits: number;
  /** The number of table rows that were inserted, updated or deleted. Index entries are not counted. */
  rowsWritten: number;
  accepted: number;
  appended: number;
  renewed: number;
  conflicts: number;
  refills: number;
  checkpoints: number;
  checkpointMaxMs: number;
}

/**
 * The state that the parts of the SQLite engine share: the open file, and the data of the file that is cached in
 * memory.
 */
export interface SqliteContext {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly file: Pick<
    StoreFile,
    'check' | 'beforeTransaction' | 'beforeCommit' | 'afterCommit' | 'afterCheckpoint'
  >;
  readonly sql: Statements;
  readonly names: InternedNames;
  readonly keys: HashedKeys;
  readonly readyIndex: ReadyIndex;
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: Stats;
  /** The highest number so far of a task's row or of a lane pointer, which is a task's place in its lane. */
  lastSeq: number;
  /** No task of the store expires before this time (in ms). 0 means that the earliest expiry is not known. */
  earliestExpiryMs: number;
}

export function newStats(): Stats {
  return {
    commits: 0,
    rowsWritten: 0,
    accepted: 0,
    appended: 0,
    renewed: 0,
    conflicts: 0,
    refills: 0,
    checkpoints: 0,
    checkpointMaxMs: 0,
  };
}
