import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ReadyIndex } from './broker/ready-index.ts';
import type { Names } from './rows/interned-names.ts';
import type { Statements } from './rows/statements.ts';

/** Cheap integers for benchmarks; they only rise. */
export interface Stats {
  commits: number;
  /** Rows of tables that were inserted, updated or deleted; index entries are not counted. */
  rowsWritten: number;
  accepted: number;
  appended: number;
  renewed: number;
  refused: number;
  refills: number;
  checkpoints: number;
  checkpointMaxMs: number;
}

/** What the parts of the engine share: one file and its image in memory. */
export interface SqliteContext {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly sql: Statements;
  readonly names: Names;
  readonly readyIndex: ReadyIndex;
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: Stats;
  /** The last number that was given to an acceptance, or to a place in a lane. */
  lastSeq: number;
  /** No task expires before; 0: that is not known. */
  firstExpiryMs: number;
}

export function newStats(): Stats {
  return {
    commits: 0,
    rowsWritten: 0,
    accepted: 0,
    appended: 0,
    renewed: 0,
    refused: 0,
    refills: 0,
    checkpoints: 0,
    checkpointMaxMs: 0,
  };
}
