import type { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Log, silentLog } from '../../ports/log.ts';
import { type ReadyCacheSizes, type ReadyCacheSource, readyCacheSizes } from './broker/ready-cache.ts';
import { ReadyIndex } from './broker/ready-index.ts';
import { newStats, type SqliteContext } from './context.ts';
import { asStoreError, damagedTask, isSqlError, storeCorrupt } from './file/failures.ts';
import { FullDisk } from './file/full-disk.ts';
import { openStoreFile } from './file/open.ts';
import type { StoreFile } from './file/store-file.ts';
import { type HashedKeySizes, HashedKeys, hashedKeySizes } from './keys/hashed-keys.ts';
import { Lists } from './lists.ts';
import { addressOf, idOf } from './rows/ids.ts';
import { InternedNames, type InternedQueue, type InternedTaskType } from './rows/interned-names.ts';
import { type Row, ready, snapshotOf } from './rows/rows.ts';
import { prepareStatements, type Statements } from './rows/statements.ts';
import { snapshotAt } from './snapshots.ts';

export interface SqliteOptions {
  /** The path of the database file. The file is created if it does not exist; its folder must exist. */
  readonly path: string;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /**
   * Called when the store failed and has closed its file. The caller must end the process: its next start recovers the
   * file.
   */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
  /**
   * The size in bytes of the ballast, a file beside the store whose space is for settlements on a full disk. Default 64
   * MB; 0 means no ballast.
   */
  readonly ballastBytes?: number | undefined;
  /** The maximum size of the store's file in bytes. By default only the disk limits the file. */
  readonly maxBytes?: number | undefined;
  /**
   * A store file of up to this many bytes is checked for damage when it is opened. Default 256 MB; 0 turns the check
   * off.
   */
  readonly checkUpToBytes?: number | undefined;
  /**
   * For crash tests: the path of a file to which one byte is written before and after each COMMIT. Default:
   * $HOLDFAST_COMMIT_MARK, if set.
   */
  readonly commitMark?: string | undefined;
  /**
   * The interval in ms at which the engine checks, without any commit too, that its files were not moved, removed or
   * replaced. Default: only commits check it.
   */
  readonly checkFilesEveryMs?: number | undefined;
  /** How many ready tasks, and how many bytes of them, are cached in memory. */
  readonly readyCache?: Partial<ReadyCacheSizes> | undefined;
  /** How many hashes of idempotency keys that do not ascend are kept in memory. */
  readonly hashedKeys?: Partial<HashedKeySizes> | undefined;
}

/**
 * The default size in bytes up to which a store file is checked for damage. The check of a larger file would delay the
 * start by more than a second.
 */
const checkUpToBytes = 256 * 1_048_576;

function isReadyIn(row: Row, queue: InternedQueue, priority: number, taskType: InternedTaskType): boolean {
  return row[1] === queue.id && row[2] === taskType.id && row[3] === priority && row[9] === ready;
}

function sourceOf(sql: Statements, names: InternedNames): ReadyCacheSource {
  return {
    *readyAfter({ queue, priority, taskType }, after, limit) {
      const rows = sql.readyAfter.iterate(queue.id, priority, taskType.id, after, limit) as Iterable<unknown>;
      for (const row of rows as Iterable<Row>) {
        // The row that an entry of a damaged index names may be one of another list, or of a task that has ended.
        if (!isReadyIn(row, queue, priority, taskType)) throw damagedTask(idOf(row[0], Number(row[4])));
        yield snapshotOf(row, names);
      }
    },
    seqOf: (snapshot) => addressOf(snapshot.id)?.seq ?? 0,
    *taskTypes(queue, priority) {
      let taskType = 0;
      for (;;) {
        const row = sql.nextTaskType.get(queue.id, priority, taskType) as unknown as
          | [number | null]
          | undefined;
        if (row === undefined || row[0] === null) return;
        taskType = row[0];
        yield names.taskTypeOf(taskType);
      }
    },
    load: (seq) => snapshotAt({ sql, names }, seq),
  };
}

function contextOf(file: StoreFile, options: SqliteOptions): SqliteContext {
  const { db } = file;
  const sql = prepareStatements(db);
  const names = new InternedNames(db);
  const [lastSeq] = sql.lastSeq.get('seq') as unknown as [number];
  return {
    path: options.path,
    db,
    file,
    sql,
    names,
    keys: new HashedKeys(db, sql, { ...hashedKeySizes, ...options.hashedKeys }),
    readyIndex: new ReadyIndex(sourceOf(sql, names), { ...readyCacheSizes, ...options.readyCache }),
    clock: options.clock,
    log: options.log ?? silentLog,
    stats: newStats(),
    lastSeq,
    earliestExpiryMs: 0,
  };
}

/** The parts of an opened SQLite engine: the file, the shared context and the full-disk guard. */
export interface EngineParts {
  readonly file: StoreFile;
  readonly context: SqliteContext;
  readonly full: FullDisk;
  readonly lists: Lists;
}

/**
 * Opens the store's file and prepares the parts of the SQLite engine. Throws a HoldfastError, after which the file is
 * closed.
 */
export function openParts(options: SqliteOptions): EngineParts {
  const mostBytes = options.checkUpToBytes ?? checkUpToBytes;
  const file = openStoreFile(options.path, mostBytes, options.clock);
  try {
    const context = contextOf(file, options);
    const lists = new Lists(context);
    const ballastBytes = options.ballastBytes ?? 64 * 1_048_576;
    const full = new FullDisk(context, { ballastBytes, maxBytes: options.maxBytes });
    return { file, context, full, lists };
  } catch (thrown) {
    file.close();
    // The statements are right for this schema, so that a file for which SQLite cannot prepare them is damaged.
    throw isSqlError(thrown) ? storeCorrupt(options.path, thrown) : asStoreError(thrown, options.path);
  }
}
