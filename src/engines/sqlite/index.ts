import type { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import { type Log, silentLog } from '../../ports/log.ts';
import { SqliteBells } from './bells.ts';
import { Checkpoints } from './checkpoint.ts';
import { Committer } from './commit.ts';
import { commitMark } from './commit-mark.ts';
import { newStats, type SqliteContext, type Stats } from './context.ts';
import { FullDisk } from './full-disk.ts';
import { placeOf } from './ids.ts';
import { Names } from './names.ts';
import { openStoreFile, type StoreFile } from './open.ts';
import { ReadyRing, type RingSizes, type RingSource, ringSizes } from './ready-ring.ts';
import { createRegistry } from './registry.ts';
import { type Row, snapshotOf } from './rows.ts';
import { snapshotAt } from './snapshots.ts';
import { prepareStatements, type Statements } from './statements.ts';
import { SqliteTaskStore } from './task-store.ts';

export type { Stats } from './context.ts';

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
  /** For crash tests: gets one byte before and one after each COMMIT. Default: $HOLDFAST_COMMIT_MARK, else none. */
  readonly commitMark?: string | undefined;
  /** How much of the ready backlog is held in memory. */
  readonly ring?: Partial<RingSizes> | undefined;
}

export interface SqliteEngine extends Engine {
  stats(): Stats;
}

function sourceOf(sql: Statements, names: Names): RingSource {
  return {
    readyAfter(shelf, after, limit) {
      const rows = sql.readyAfter.all(shelf.queue.id, shelf.priority, shelf.kind.id, after, limit);
      return (rows as unknown as Row[]).map((row) => snapshotOf(row, names));
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
    ring: new ReadyRing(sourceOf(sql, names), { ...ringSizes, ...options.ring }),
    clock: options.clock,
    log: options.log ?? silentLog,
    stats: newStats(),
    lastSeq,
    firstExpiryMs: 0,
  };
}

function closeFile(context: SqliteContext, file: StoreFile): void {
  try {
    context.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (thrown) {
    context.log.warn({ err: thrown }, 'the last checkpoint failed; the next start makes up for it');
  }
  file.close();
}

/**
 * The embedded engine: one process, one file, one sync for all that came together. Throws a HoldfastError where the
 * file can't be held: STORE_LOCKED, STORE_READ_ONLY, STORE_CORRUPT, SCHEMA_NEWER, STORE_FULL, BAD_CONFIGURATION.
 */
export async function sqlite(options: SqliteOptions): Promise<SqliteEngine> {
  const file = openStoreFile(options.path);
  const context = contextOf(file, options);
  const full = new FullDisk(context, {
    ballastBytes: options.ballastBytes ?? 64 * 1_048_576,
    maxBytes: options.maxBytes,
  });
  const mark = commitMark(options.commitMark ?? process.env.HOLDFAST_COMMIT_MARK);
  const committer: Committer = new Committer({
    context,
    full,
    checkpoints: new Checkpoints(context),
    mark,
    afterCommit: () => bells.serve(),
    onFatal(error) {
      context.log.error({ err: error }, 'the store failed and lets go of its file');
      bells.close();
      file.close();
      options.onFatal?.(error);
    },
  });
  const bells = new SqliteBells(context, committer);
  let closed = false;
  return {
    store: new SqliteTaskStore(context, committer),
    bells,
    registry: createRegistry(context, committer),
    stats: () => ({ ...context.stats, refills: context.ring.refills }),
    async close() {
      if (closed) return;
      closed = true;
      bells.close();
      committer.flush();
      committer.stop();
      mark.close();
      if (context.db.isOpen) closeFile(context, file);
    },
  };
}
