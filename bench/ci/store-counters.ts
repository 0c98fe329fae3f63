/** Counts the work of SQLite by SQLite itself, so that no count depends on the counters of the engine that is measured. */
import { readFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';

export interface StoreCounts {
  /** The calls of statements: each `run`, `get`, `all`, `iterate` and `exec`. */
  readonly statements: number;
  /** The table rows that were inserted, updated or deleted. */
  readonly rows: number;
  /** The commits in the write-ahead log. Each of them was synced to disk before its answers. */
  readonly syncs: number;
  /** The bytes that were written to the write-ahead log. */
  readonly logBytes: number;
  /** The bytes of the pages that the database uses. */
  readonly databaseBytes: number;
}

const headerBytes = 32;
const frameHeaderBytes = 24;

/** Returns the frames and the commits of the current run of a write-ahead log. `run` differs after each restart of the log. */
function readLog(path: string): { readonly run: number; readonly bytes: number; readonly commits: number } {
  const log = readFileSync(path);
  if (log.length < headerBytes) return { run: 0, bytes: 0, commits: 0 };
  const frameBytes = frameHeaderBytes + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let [bytes, commits] = [0, 0];
  for (let at = headerBytes; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    bytes += frameBytes;
    if (log.readUInt32BE(at + 4) !== 0) commits++;
  }
  return { run: log.readUInt32BE(12), bytes, commits };
}

type Method = (this: unknown, ...parameters: unknown[]) => unknown;

/** Calls `onCall` before each call of these methods. Returns a function that puts the methods back. */
function watchCalls(
  prototype: object,
  names: readonly string[],
  onCall: (self: unknown) => void,
): () => void {
  const methods = prototype as Record<string, Method>;
  const originals = names.map((name) => [name, methods[name] as Method] as const);
  for (const [name, original] of originals) {
    methods[name] = function watched(...parameters) {
      onCall(this);
      return original.apply(this, parameters);
    };
  }
  return () => {
    for (const [name, original] of originals) methods[name] = original;
  };
}

/** Counts the work on one store file, from before it is opened until `stop`. */
export class StoreCounters {
  readonly #path: string;
  readonly #stops: (() => void)[];
  #statements = 0;
  #database: DatabaseSync | undefined;
  #logRun: number | undefined;

  constructor(path: string) {
    this.#path = path;
    const count = (): void => void this.#statements++;
    this.#stops = [
      watchCalls(StatementSync.prototype, ['run', 'get', 'all', 'iterate'], count),
      watchCalls(DatabaseSync.prototype, ['exec'], count),
      watchCalls(DatabaseSync.prototype, ['prepare'], (self) => {
        this.#database = self as DatabaseSync;
      }),
    ];
  }

  /** Returns the counts until now. Throws if the log was restarted since the last call: its former commits are lost. */
  read(): StoreCounts {
    const statements = this.#statements;
    const log = readLog(`${this.#path}-wal`);
    const isRestarted = this.#logRun !== undefined && this.#logRun !== log.run;
    this.#logRun = log.run;
    if (isRestarted)
      throw new Error('a checkpoint restarted the log; a scenario must be shorter than its limit');
    const rows = this.#number('SELECT total_changes()');
    const pages = this.#number('PRAGMA page_count') - this.#number('PRAGMA freelist_count');
    const databaseBytes = pages * this.#number('PRAGMA page_size');
    this.#statements = statements;
    return { statements, rows, syncs: log.commits, logBytes: log.bytes, databaseBytes };
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  #number(query: string): number {
    if (this.#database === undefined) throw new Error('the engine has opened no database');
    return Number(Object.values(this.#database.prepare(query).get() ?? {})[0]);
  }
}
