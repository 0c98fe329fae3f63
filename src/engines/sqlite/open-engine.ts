import type { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Log, silentLog } from '../../ports/log.ts';
import { type ReadyCacheSizes, type ReadyCacheSource, readyCacheSizes } from './broker/ready-cache.ts';
import { ReadyIndex } from './broker/ready-index.ts';
import { newStats, type SqliteContext } from './context.ts';
import { asStoreError } from './file/failures.ts';
import { FullDisk } from './file/full-disk.ts';
import { openStoreFile, type StoreFile } from './file/open.ts';
import { placeOf } from './rows/ids.ts';
import { Names } from './rows/interned-names.ts';
import { type Row, snapshotOf } from './rows/rows.ts';
import { prepareStatements, type Statements } from './rows/statements.ts';
import { snapshotAt } from './snapshots.ts';

export interface SqliteOptions {
  /** Of the database file; made where it does not exist. Its folder must be there. */
  readonly path: string;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** The store can't go on and has let go of its file: end the process, and the next start recovers. */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
  /** Kept free for settlements on a full disk, in a file beside the store. Default 64 MB; 0: none. */
  readonly ballastBytes?: number | undefined;
  /** The file grows no further. Default: as far as the disk. */
  readonly maxBytes?: number | undefined;
  /** A file of at most this size is looked through for damage when it is opened. Default 256 MB; 0: none is. */
  readonly checkUpToBytes?: number | undefined;
  /** For crash tests: gets one byte before and one after each COMMIT. Default: $HOLDFAST_COMMIT_MARK, else none. */
  readonly commitMark?: string | undefined;
  /** How much of the ready backlog is held in memory. */
  readonly readyCache?: Partial<ReadyCacheSizes> | undefined;
}

/** Looking through more would make a start last longer than a second. */
const checkUpToBytes = 256 * 1_048_576;

function sourceOf(sql: Statements, names: Names): ReadyCacheSource {
  return {
    *readyAfter({ queue, priority, kind }, after, limit) {
      const rows = sql.readyAfter.iterate(queue.id, priority, kind.id, after, limit) as Iterable<unknown>;
      for (const row of rows as Iterable<Row>) yield snapshotOf(row, names);
    },
    seqOf: (snapshot) => placeOf(snapshot.id)?.seq ?? 0,
    *kinds(queue, priority) {
      let kind = 0;
      for (;;) {
        const row = sql.nextKind.get(queue.id, priority, kind) as unknown as [number | null] | undefined;
        if (row === undefined || row[0] === null) return;
        kind = row[0];
        yield names.kindOf(kind);
      }
    },
    load: (seq) => snapshotAt({ sql, names }, seq),
  };
}

function contextOf(file: StoreFile, options: SqliteOptions): SqliteContext {
  const { db } = file;
  const sql = prepareStatements(db);
  const names = new Names(db);
  const [lastSeq] = sql.lastSeq.get('seq') as unknown as [number];
  return {
    path: options.path,
    db,
    sql,
    names,
    readyIndex: new ReadyIndex(sourceOf(sql, names), { ...readyCacheSizes, ...options.readyCache }),
    clock: options.clock,
    log: options.log ?? silentLog,
    stats: newStats(),
    lastSeq,
    firstExpiryMs: 0,
  };
}

/** The open file, and what the parts of the engine share. */
export interface Opened {
  readonly file: StoreFile;
  readonly context: SqliteContext;
  readonly full: FullDisk;
}

/** Throws a HoldfastError, and then holds nothing. */
export function openParts(options: SqliteOptions): Opened {
  const file = openStoreFile(options.path, options.checkUpToBytes ?? checkUpToBytes);
  try {
    const context = contextOf(file, options);
    const ballastBytes = options.ballastBytes ?? 64 * 1_048_576;
    return { file, context, full: new FullDisk(context, { ballastBytes, maxBytes: options.maxBytes }) };
  } catch (thrown) {
    file.close();
    throw asStoreError(thrown, options.path);
  }
}
