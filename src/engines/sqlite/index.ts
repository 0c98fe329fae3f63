import type { Engine } from '../../ports/engine.ts';
import { SqliteBroker } from './broker/broker.ts';
import type { SqliteContext, Stats } from './context.ts';
import { Checkpoints } from './file/checkpoint.ts';
import { commitMark } from './file/commit-mark.ts';
import type { StoreFile } from './file/store-file.ts';
import { GroupCommitter } from './group-commit.ts';
import { openParts, type SqliteOptions } from './open-engine.ts';
import { createRegistry } from './registry.ts';
import { SqliteTaskStore } from './task-store.ts';

export type { Stats } from './context.ts';
export type { SqliteOptions } from './open-engine.ts';

export interface SqliteEngine extends Engine {
  stats(): Stats;
}

function closeFile(context: SqliteContext, file: StoreFile): void {
  try {
    context.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (thrown) {
    context.log.warn({ err: thrown }, 'the last checkpoint failed; the next start repeats it');
  }
  file.close();
}

/** Checks the store's files at the interval of the options. Returns a function that ends the checks. */
function checkFilesRegularly(
  { clock, checkFilesEveryMs }: SqliteOptions,
  committer: GroupCommitter,
): () => void {
  if (checkFilesEveryMs === undefined) return () => {};
  const check = (): void => {
    cancel = clock.after(checkFilesEveryMs, check);
    committer.checkFiles();
  };
  let cancel = clock.after(checkFilesEveryMs, check);
  return () => cancel();
}

/**
 * Opens the embedded SQLite engine: one process, one file, and one disk sync for all calls of a commit batch. Throws a
 * HoldfastError if it cannot open and lock the file: STORE_LOCKED, STORE_READ_ONLY, STORE_CORRUPT, SCHEMA_NEWER,
 * STORE_FULL or BAD_CONFIGURATION.
 */
export async function sqlite(options: SqliteOptions): Promise<SqliteEngine> {
  const { file, context, full, lists } = openParts(options);
  const mark = commitMark(options.commitMark ?? process.env.HOLDFAST_COMMIT_MARK);
  const committer: GroupCommitter = new GroupCommitter({
    context,
    full,
    checkpoints: new Checkpoints(context),
    mark,
    afterCommit: () => broker.serve(),
    onFatal(error) {
      context.log.error({ err: error }, 'the store failed and closes its file');
      broker.close();
      stopFileChecks();
      full.close();
      if (error.reason === 'STORE_MOVED') file.leave();
      else file.close();
      options.onFatal?.(error);
    },
  });
  const broker = new SqliteBroker(context, committer);
  const stopFileChecks = checkFilesRegularly(options, committer);
  let closed = false;
  return {
    store: new SqliteTaskStore(context, committer, lists),
    broker,
    registry: createRegistry(context, committer),
    fullStore: () => committer.read(() => full.state),
    stats: () => ({ ...context.stats, refills: context.readyIndex.refills }),
    async close() {
      if (closed) return;
      closed = true;
      broker.close();
      stopFileChecks();
      full.close();
      committer.flush();
      committer.checkFiles();
      committer.stop();
      mark.close();
      if (!file.isLeft && context.db.isOpen) closeFile(context, file);
    },
  };
}
